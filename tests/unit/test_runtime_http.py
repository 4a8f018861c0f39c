"""Nodes talk to nodes of their own site only, and every failure says what to do."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from services.node import pki
from services.runtime import app, http
from services.runtime.errors import Problem
from services.runtime.health import Health

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

Authority = tuple[pki.ec.EllipticCurvePrivateKey, pki.x509.Certificate]
Open = Callable[..., Awaitable[str]]


def equip(folder: Path, name: str, authority: Authority, addresses: tuple[str, ...] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    key, ca = authority
    own = pki.new_key()
    names = pki.Names(name, (name, f"{name}.node.dss"), addresses or ("127.0.0.1",))
    (folder / "ca.pem").write_bytes(pki.pem(ca))
    (folder / "node.pem").write_bytes(pki.pem(pki.sign(key, ca, own.public_key(), names)))
    (folder / "node.key").write_bytes(pki.key_pem(own))


@pytest.fixture
def authority(node_files: "NodeFiles") -> Authority:
    """The site's authority; this process is its node main-a."""
    made = pki.make_ca("Test")
    equip(node_files.etc / "pki", "main-a", made)
    node_files.credential("node.key", (node_files.etc / "pki" / "node.key").read_text())
    return made


@pytest.fixture
async def peers(authority: Authority) -> AsyncIterator[http.Peers]:
    made = http.Peers()
    yield made
    await made.close()


@pytest.fixture
async def open_door(tmp_path: Path) -> AsyncIterator[Open]:
    """Starts another node's door with a certificate of that authority; gives its `ip:port`."""
    runners = []

    async def start(authority: Authority, addresses: tuple[str, ...] = ()) -> str:
        folder = tmp_path / f"door-{len(runners)}"
        equip(folder, "sub-1", authority, addresses)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(folder / "node.pem", folder / "node.key")
        runner = web.AppRunner(door())
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return f"127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def door() -> web.Application:
    async def fine(request: web.Request) -> web.Response:
        return web.json_response({"got": await request.json() if request.can_read_body else None})

    async def refuses(_: web.Request) -> web.Response:
        raise Problem("no", "No.", "Because.", "Do this.", 409)

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>")

    async def huge(_: web.Request) -> web.Response:
        return web.json_response("x" * (http.ANSWER_LIMIT + 1))

    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(body=b"{", content_type="application/json")

    async def away(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "https://127.0.0.1:1/"})

    service = app.application(Health())
    for handler in (fine, refuses, broken, huge, nonsense, away):
        service.router.add_route("*", f"/cluster/dms/{handler.__name__}", handler)
    return service


async def test_a_node_of_the_site_is_reached(
    peers: http.Peers, authority: Authority, open_door: Open
) -> None:
    where = await open_door(authority)
    assert (await peers.get(where, "dms", "/fine")).data == {"got": None}
    assert (await peers.post(where, "dms", "/fine", {"a": 1})).data == {"got": {"a": 1}}


@pytest.mark.parametrize(
    ("path", "code", "why"),
    [
        ("/refuses", "no", "Because."),
        ("/broken", "node-unreachable", "HTTP 502"),
        ("/huge", "node-unreachable", "larger"),
        ("/nonsense", "node-unreachable", ""),
        ("/nothing", "node-unreachable", "HTTP 404"),
    ],
)
async def test_a_failure_is_a_problem_with_its_reason(
    peers: http.Peers, authority: Authority, open_door: Open, path: str, code: str, why: str
) -> None:
    with pytest.raises(Problem) as problem:
        await peers.get(await open_door(authority), "dms", path)
    assert problem.value.code == code
    assert why in problem.value.why
    assert problem.value.remedy


async def test_a_redirect_is_not_followed(peers: http.Peers, authority: Authority, open_door: Open) -> None:
    assert (await peers.get(await open_door(authority), "dms", "/away")).status == 307


async def test_another_sites_node_and_a_node_with_anothers_address_are_refused(
    peers: http.Peers, authority: Authority, open_door: Open
) -> None:
    for where in (await open_door(pki.make_ca("Other")), await open_door(authority, ("198.18.0.9",))):
        with pytest.raises(Problem, match="could not be reached"):
            await peers.get(where, "dms", "/fine")


async def test_a_node_that_is_off_is_a_problem(
    peers: http.Peers, authority: Authority, free_port: Callable[[], int]
) -> None:
    with pytest.raises(Problem, match="could not be reached") as problem:
        await peers.get(f"127.0.0.1:{free_port()}", "dms", "/fine")
    assert problem.value.status == 502


def test_an_ipv6_address_is_written_with_brackets() -> None:
    assert http.join_host_port("2001:db8::1", 443) == "[2001:db8::1]:443"
    assert http.join_host_port("192.0.2.1", 443) == "192.0.2.1:443"
