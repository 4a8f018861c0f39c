"""The wizard for a router: its list, its files, its test from inside, and the change that it orders."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from services.node import pki
from services.smc import models, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

WISH = {"scope": "clients", "node": "main-a", "address": "203.0.113.10", "router": "198.18.0.1",
        "kind": "nftables", "interface": "wan0"}  # fmt: skip


def at(step: str, **changed: str) -> str:
    """Address of a step of the wizard."""
    return f"/dmz/{step}?{urlencode(WISH | changed)}"


def test_the_list_holds_every_server_with_an_outside_address(admin: Visitor) -> None:
    text = admin.get(at("list")).text
    for row in ("203.0.113.10:443/tcp", "203.0.113.21:443/tcp", "203.0.113.10:9102/tcp", "not encrypted"):
        assert row in text, row
    assert "open to everyone who reaches the outside address" in text
    assert "203.0.113.10:9500" not in text, "planned services of another scenario"


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("nftables", "dmz.nft", "ip daddr 203.0.113.10 tcp dport 443 dnat ip to 127.0.0.1"),
        ("openwrt", "dmz-openwrt.sh", "src_dip='203.0.113.10'"),
        ("mikrotik", "dmz-mikrotik.rsc", "dst-address=203.0.113.10 dst-port=443"),
        ("cisco", "dmz-cisco.txt", "ip nat inside source static tcp 127.0.0.1 443 203.0.113.10 443"),
        ("opnsense", "dmz-opnsense.xml", "203.0.113.10"),
        ("pfsense", "dmz-pfsense.xml", "203.0.113.10"),
    ],
)
def test_each_kind_of_router_gets_its_files_and_their_removal(
    admin: Visitor, kind: str, name: str, words: str
) -> None:
    page = admin.get(at("list", vendor=kind, kind=kind))
    assert page.status_code == 200, page.text
    assert name in page.text
    assert "To take it away again" in page.text
    answer = admin.get(at(f"files/{name}", vendor=kind, kind=kind))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert words in answer.text


def test_the_rules_for_linux_are_taken_by_nft(admin: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "dmz.nft"
    path.write_text(admin.get(at("files/dmz.nft")).text)
    subprocess.run(["unshare", "-n", "nft", "-c", "-f", str(path)], check=True)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"address": "203.0.113"}, "address", "is not an address"),
        ({"address": "2001:db8::1"}, "address", "A router maps IPv4 only"),
        ({"address": "127.0.0.21"}, "address", "no address that a router could have"),
        ({"address": "203.0.113.21"}, "address", "would both be"),
        ({"router": ""}, "router", "It is missing"),
        ({"router": "203.0.113.10"}, "router", "same as the mapping IP"),
        ({"interface": ""}, "interface", "outside interface"),
        ({"interface": "; reboot"}, "interface", "is not the name of an interface"),
        ({"kind": "toaster"}, "vendor", "is not known"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    admin: Visitor, changed: dict[str, str], field: str, words: str
) -> None:
    answer = admin.get(at("list", **changed))
    assert answer.status_code in {409, 422}
    said = answer.text.split(f'id="{field}-wrong"')[1].split("</p>")[0].replace("&#39;", "'")
    assert words in said
    kept = (WISH | changed)["address"]
    assert f'value="{kept}"' in answer.text


def test_without_anybody_outside_the_first_step_says_so(admin: Visitor) -> None:
    answer = admin.get("/dmz/address")
    assert answer.status_code == 422
    assert "Choose clients, devices, or both." in answer.text


def test_a_server_whose_ports_are_unknown_stops_the_plan(admin: Visitor, site: Site) -> None:
    with site.platform.session() as session:
        session.query(models.Node).filter_by(name="sub-2").update(
            {"state": "enabled", "mapping_ip": "203.0.113.22"}
        )
        session.commit()
    answer = admin.get(at("list"))
    assert answer.status_code == 409
    assert "The configuration would be incomplete." in answer.text


def test_applying_asks_for_the_mapping_ip_and_leaves_the_router_to_its_owner(
    admin: Visitor, site: Site
) -> None:
    page = at("apply")
    assert "ansible-playbook -i inventories/NAME playbooks/router.yml" in admin.get(page).text
    answer = admin.post("/dmz/apply", WISH, page)
    assert answer.status_code == 303, answer.text
    assert site.agents["main-a"].changes[0]["request"] == {"mapping_ip": "203.0.113.10", "by": "admin"}
    assert "mapping IP 203.0.113.10 on main-a" in admin.get("/tasks/strip").text


def test_an_operator_can_neither_test_nor_apply(admin: Visitor, site: Site) -> None:
    with site.platform.session() as session:
        session.query(models.Account).update({"role": "operator"})
        session.commit()
    for path in ("/dmz", at("list")):
        assert admin.get(path).status_code == 403
    for path in ("/dmz/test", "/dmz/apply"):
        assert admin.post(path, WISH, "/live").status_code == 403
    assert site.agents["main-a"].changes == []


def test_the_test_says_of_each_port_what_happened(admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is the boundary here; tests/e2e tries a real router."""
    states: list[reach.State] = ["reached", "open", "silent", "foreign", "refused", "unreachable"]

    def answers(targets: list[reach.Target]) -> list[reach.Result]:
        found = [reach.Result(state, 1.5, f"It was {state}.") for state in states]
        return (found * 2)[: len(targets)]

    monkeypatch.setattr(reach, "attempt", answers)
    answer = admin.post("/dmz/test", WISH, at("test"))
    assert answer.status_code == 200, answer.text
    for words in (
        "203.0.113.10:9100/tcp",
        "Reached",
        "Answers",
        "No answer",
        "Somebody else",
        "It was foreign.",
    ):
        assert words in answer.text, words
    assert "What cannot be known from inside" in answer.text


@pytest.fixture
def gateway(site: Site, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Starts a TLS server that shows a certificate of the site for a node; returns its port."""
    key, ca = pki.make_ca("Other")
    servers = []

    def start(name: str) -> int:
        own = pki.new_key()
        signed = pki.sign(key, ca, own.public_key(), pki.Names.of(name, ["127.0.0.1"]))
        path = tmp_path / f"{name}.pem"
        path.write_bytes(pki.pem(signed) + pki.key_pem(own))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=_greet, args=(server, context), daemon=True).start()
        return int(server.getsockname()[1])

    etc = site.platform.files.etc
    (etc / "pki" / "ca.pem").write_bytes(pki.pem(ca))
    yield start
    for server in servers:
        server.close()


def _greet(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = server.accept()
            context.wrap_socket(plain, server_side=True).close()
        except ssl.SSLError:
            continue
        except OSError:
            return


def test_who_answers_is_proven_by_the_certificate(
    gateway: Callable[[str], int], free_port: Callable[[], int]
) -> None:
    port = gateway("main-a")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        plain = silent.getsockname()[1]
        targets = [
            reach.Target("main-a", "127.0.0.1", port, True),
            reach.Target("sub-1", "127.0.0.1", port, True),
            reach.Target("main-a", "127.0.0.1", plain, False),
            reach.Target("main-a", "127.0.0.1", plain, True),
            reach.Target("main-a", "127.0.0.1", free_port(), False),
        ]
        found = reach.attempt(targets)
    assert [one.state for one in found] == ["reached", "foreign", "open", "open", "refused"]
    assert "not that of sub-1" in found[1].why


def test_a_program_gets_the_same_plan(admin: Visitor) -> None:
    body = {"node": "main-a", "address": "203.0.113.10", "scopes": ["clients"], "vendor": "cisco",
            "router_address": "198.18.0.1"}  # fmt: skip
    token = admin.token("/")
    answer = admin.client.post(
        "/api/v1/dmz/plan", data=json.dumps(body), base_url="https://127.0.0.1",
        headers={"X-CSRF-Token": token, "Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    plan = answer.get_json()
    assert plan["files"].keys() == {"dmz-cisco.txt"}
    assert {one["wan"] for one in plan["mapped"]} == {"203.0.113.10", "203.0.113.21"}
