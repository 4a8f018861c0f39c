"""Main signs for a node that shows its own one-time token, and for nothing else."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.node import pki
from services.runtime import app, auth
from services.runtime.health import Health
from services.smc import audit, mapping_grants, nodes
from services.smc.accounts import Account
from services.smc.agent.join import TRIES, Desk
from services.smc.agent.route import Route

if TYPE_CHECKING:
    from tests.conftest import Platform

ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")
Post = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
async def client(platform: "Platform") -> Any:  # noqa: ANN401 - an async generator
    key, ca = pki.make_ca("Test")
    (platform.files.etc / "pki" / "ca.pem").write_bytes(pki.pem(ca))
    platform.files.credential("ca.key", pki.key_pem(key).decode())
    platform.files.node(address="198.18.0.10", mapping_ip="203.0.113.10")
    service = app.application(Health())
    service.middlewares.append(auth.node_only)
    service.add_routes([*Desk().routes(), *Route().routes()])
    async with TestClient(TestServer(service)) as opened:
        yield opened


@pytest.fixture
def post(client: "TestClient[Any, Any]") -> Post:
    async def send(source: str = "198.18.0.21", **body: str) -> tuple[int, dict[str, Any]]:
        answer = await client.post("/join", json=body, headers={"X-Real-IP": source})
        return answer.status, await answer.json()

    return send


def token(platform: "Platform", name: str = "sub-1") -> str:
    with platform.session() as session:
        return nodes.add_token(session, name, timedelta(minutes=5), ADMIN).token


def csr(name: str = "sub-1", *addresses: str) -> str:
    return pki.request(pki.new_key(), pki.Names.of(name, addresses or ["198.18.0.21"])).decode()


async def test_a_node_with_its_token_gets_a_certificate_of_its_own_names(
    platform: "Platform", client: "TestClient[Any, Any]", post: Post
) -> None:
    ca = x509.load_pem_x509_certificate((await (await client.get("/join")).json())["ca"].encode())
    key = pki.new_key()
    names = pki.Names.of("sub-1", ["198.18.0.21", "203.0.113.21"])
    status, body = await post(name="sub-1", token=token(platform), csr=pki.request(key, names).decode())
    assert status == 200
    certificate = x509.load_pem_x509_certificate(body["certificate"].encode())
    assert pki.fault(certificate, [ca], pki.key_pem(key), names) == ""


async def test_a_token_works_once(platform: "Platform", post: Post) -> None:
    text = token(platform)
    answers = await asyncio.gather(*(post(name="sub-1", token=text, csr=csr()) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [200, 403, 403, 403]


def forged() -> str:
    lines = csr().splitlines()
    lines[3] = lines[3][::-1]
    return "\n".join(lines)


def rsa_csr() -> str:
    key = rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateSigningRequestBuilder().subject_name(pki._subject("sub-1"))
    names = pki.Names.of("sub-1", ["198.18.0.21"]).extension()
    request = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def other_dns() -> str:
    names = pki.Names("sub-1", ("sub-1", "main-a.node.dss"), ("198.18.0.21",))
    return pki.request(ec.generate_private_key(ec.SECP256R1()), names).decode()


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        (lambda: csr("sub-2"), "csr-names"),
        (lambda: csr("sub-1", "198.18.0.10"), "csr-addresses"),
        (lambda: csr("sub-1", "203.0.113.10"), "csr-addresses"),
        (lambda: csr("sub-1", "198.18.0.22"), "csr-addresses"),
        (lambda: csr("sub-1", "224.0.0.1"), "csr-addresses"),
        (lambda: csr("sub-1", *(f"198.18.1.{n}" for n in range(9))), "csr-addresses"),
        (other_dns, "csr-names"),
        (rsa_csr, "csr-key"),
        (forged, "csr-unreadable"),
        (lambda: "nonsense", "csr-unreadable"),
    ],
)
async def test_a_request_for_what_is_not_the_nodes_own_is_refused_audited_and_costs_no_token(
    platform: "Platform", post: Post, request_text: Callable[[], str], code: str
) -> None:
    with platform.session() as session:
        nodes.register(session, "sub-2", "sub", "198.18.0.22", None, "1")
    text = token(platform)
    status, body = await post(name="sub-1", token=text, csr=request_text())
    assert status == 403
    assert body["code"] in {code, "csr-key"} if code == "csr-unreadable" else body["code"] == code
    with platform.session() as session:
        newest = audit.listing(session, limit=1)[0]
    assert (newest.action, newest.outcome, newest.source) == ("node.join", "refused", "198.18.0.21")
    assert (await post(name="sub-1", token=text, csr=csr()))[0] == 200


async def test_main_cannot_be_impersonated(platform: "Platform", post: Post) -> None:
    text = token(platform, "main-a")
    status, body = await post(name="main-a", token=text, csr=csr("main-a"))
    assert (status, body["code"]) == (403, "csr-names")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"name": 1}', b"\xff", b"x" * 20_000])
async def test_a_body_that_is_no_request_is_refused(client: "TestClient[Any, Any]", body: bytes) -> None:
    answer = await client.post("/join", data=body)
    assert answer.status == 400
    assert (await answer.json())["code"] == "join-body"


async def test_guessing_is_slowed_down_for_its_source_alone(post: Post) -> None:
    guess = {"name": "sub-1", "token": "f" * 64, "csr": csr()}
    answers = [(await post(**guess))[0] for _ in range(TRIES + 2)]
    assert answers == [403] * TRIES + [429] * 2
    assert (await post(source="198.18.0.99", **guess))[0] == 403


async def test_media_is_passed_to_enabled_nodes_only(
    platform: "Platform", client: "TestClient[Any, Any]"
) -> None:
    with platform.session() as session:
        nodes.register(session, "sub-1", "sub", "198.18.0.21", None, "1")
        nodes.register(session, "sub-2", "sub", "198.18.0.22", None, "1")
        nodes.enable(session, "sub-1", ADMIN)
    with platform.redis.client() as redis:
        redis.set("beat:sub-1", json.dumps({"https_port": 8443}), ex=30)
    answer = await client.get("/route/sub-1")
    assert (answer.status, answer.headers["X-Node-Address"]) == (204, "198.18.0.21:8443")
    for name in ("sub-2", "nobody", "a%20b"):
        assert (await client.get(f"/route/{name}")).status == 404


async def renewed(client: "TestClient[Any, Any]", name: str, text: str) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": "Bearer node-secret", "X-DSS-Node": name, "X-Real-IP": "198.18.0.21"}
    answer = await client.post("/renew", json={"csr": text}, headers=headers)
    return answer.status, await answer.json()


async def test_a_known_node_gets_a_certificate_with_its_new_mapping_ip(
    platform: "Platform", client: "TestClient[Any, Any]"
) -> None:
    with platform.session() as session:
        nodes.register(session, "sub-1", "sub", "198.18.0.21", None, "1")
        nodes.register(session, "sub-2", "sub", "198.18.0.22", "203.0.113.22", "1")
    status, answer = await renewed(client, "sub-1", csr("sub-1", "198.18.0.21", "203.0.113.21"))
    assert status == 200, answer
    certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
    assert "203.0.113.21" in pki.names_in(certificate).addresses
    for name, text in (
        ("sub-1", csr("sub-1", "203.0.113.22")),
        ("sub-1", csr("sub-2", "198.18.0.21")),
        ("sub-9", csr("sub-9", "198.18.0.29")),
        ("main-a", csr("main-a", "198.18.0.10")),
    ):
        assert (await renewed(client, name, text))[0] in {403, 404}, name


async def test_a_disabled_node_renews_nothing_and_it_is_audited(
    platform: "Platform", client: "TestClient[Any, Any]"
) -> None:
    with platform.session() as session:
        nodes.register(session, "sub-1", "sub", "198.18.0.21", None, "1")
        nodes.disable(session, "sub-1", ADMIN)
    status, answer = await renewed(client, "sub-1", csr())
    assert (status, answer["code"]) == (403, "node-disabled")
    with platform.session() as session:
        entry = audit.listing(session, action="node.renew")[0]
    assert (entry.outcome, entry.details) == ("refused", {"reason": "node-disabled"})


async def test_nobody_renews_without_the_gateways_word(client: "TestClient[Any, Any]") -> None:
    assert (await client.post("/renew", json={"csr": csr()})).status == 401
    assert (await renewed(client, "", csr()))[0] == 400


async def test_an_outside_address_of_another_node_is_signed_only_where_it_was_given(
    platform: "Platform", post: Post
) -> None:
    """Nodes may stand behind one address of a router, with numbers of their own."""
    behind_main = csr("sub-1", "198.18.0.21", "203.0.113.10")
    text = token(platform)
    assert (await post(name="sub-1", token=text, csr=behind_main))[1]["code"] == "csr-addresses"
    for address in ("198.18.0.10", "203.0.113.10"):
        with platform.session() as session:
            mapping_grants.give(session, "sub-1", address, ADMIN, alone=False)
    assert (await post(name="sub-1", token=text, csr=behind_main))[0] == 200
    inside = await post(name="sub-1", token=token(platform), csr=csr("sub-1", "198.18.0.10"))
    assert inside[1]["code"] == "csr-addresses"
    with platform.session() as session:
        mapping_grants.give(session, "sub-1", None, ADMIN)
    assert (await post(name="sub-1", token=token(platform), csr=behind_main))[1]["code"] == "csr-addresses"


def test_an_address_is_given_once_and_what_is_none_to_nobody(platform: "Platform") -> None:
    def given(address: str | None, alone: bool) -> set[str]:
        with platform.session() as session:
            mapping_grants.give(session, "sub-1", address, ADMIN, alone)
            return mapping_grants.addresses(session, "sub-1")

    first, second = "203.0.113.10", "2001:db8::10"
    assert given(first, True) == given(first, False) == {first}
    assert given("nonsense", False) == {first}
    assert given("2001:DB8:0::10", False) == {first, second}
    assert given(second, True) == {second}
    assert given(None, True) == set()
