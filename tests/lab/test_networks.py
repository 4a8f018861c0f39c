"""A site whose administrators, nodes, users and cameras each have a network of their own: by real packets.

A VLAN of the lab is a cable of its own (docs/design/lab.md), so everything but the tag itself is real here.
"""

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import scenario
from lab.fixtures import PASSWORD, alone, settle
from lab.listeners import listening
from lab.places import ROOT, Place, plugged
from lab.rack import Lab
from lab.site import MAIN, SUB, Site

pytestmark = [pytest.mark.full]

INVENTORY = ROOT / "inventories" / "networks"
LAB = os.environ.get("DSS_TESTS_LAB", "networks")
LISTEN = os.environ.get("DSS_TESTS_LISTEN", "127.0.0.1:18450")
CAMERAS = (("Entrance", "198.18.3.101", MAIN), ("Car park", "198.18.3.102", SUB))
BRIDGE = {"management": "lan", "cluster": "cluster", "client": "client", "device": "device"}
NUMBER = {"management": 0, "cluster": 1, "client": 2, "device": 3}
INSIDE = {"management": "eth0", "cluster": "eth1", "client": "eth2", "device": "eth0.30"}
HOST = {MAIN: 10, SUB: 21}
GATEWAY, GATEWAY_MAC, FAR = "198.18.2.254", "02:00:5e:10:02:fe", "192.0.2.50"
ONE_NETWORK = ("-e", json.dumps({"dss_networks": {}, "dss_addresses": {}}))
COUNTING = f"""table inet foreign {{
    set kept {{ type ipv4_addr; elements = {{ 192.0.2.99 }}; }}
    chain input {{
        type filter hook input priority 10;
        ip saddr {FAR} tcp dport 443 tcp flags & (syn|ack) == syn counter;
    }}
}}"""
"""A table of somebody else; what our table drops never comes to its counter."""


def address(host: str, purpose: str) -> str:
    """The address of a node in one of its networks."""
    return f"198.18.{NUMBER[purpose]}.{HOST[host]}"


def plug(lab: Lab, purpose: str, last: int, mac: str = "") -> Any:  # noqa: ANN401 - a context of a Place
    """A machine in one of the site's networks."""
    network = f"198.18.{NUMBER[purpose]}"
    return plugged(lab, f"{network}.0/24", BRIDGE[purpose], f"{network}.{last}", mac)


@pytest.fixture(scope="module")
def nets(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Site]:
    """inventories/networks, with a camera online at each node.

    It is deployed with one network first, then with all of them: that is how a site comes to them.
    """
    with alone(LAB, request.config.getoption("--keep-lab")) as lab:
        site = Site(lab, INVENTORY, LISTEN)
        # A VLAN of a kept lab would go with its cable at a deployment with one network.
        bare = not lab.exists
        lab.up(INVENTORY)
        if bare:
            play = site.play(*ONE_NETWORK)
            assert play.code == 0, play.output[-6000:]
        settle(site, cameras=CAMERAS)
        yield site


def matrix(site: Site, host: str) -> list[dict[str, str]]:
    """The inbound rows of built services, from the command that an integrator runs."""
    command = ["./dss", "ports", "-i", str(site.inventory), "--format", "csv", "--host", host]
    listing = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    rows = csv.DictReader(io.StringIO(listing))
    return [row for row in rows if row["status"] == "built" and row["direction"] == "in"]


def promised(site: Site, host: str, purpose: str) -> list[int]:
    """TCP ports that the matrix names for one network of a node."""
    rows = (one for one in matrix(site, host) if one["protocol"] == "tcp")
    return sorted({int(r["port"]) for r in rows if r["network"] == purpose})


def table(site: Site, host: str) -> str:
    """Somebody else's table without its counters."""
    return site.on(host, "nft", "-s", "list", "table", "inet", "foreign")


def counted(site: Site, host: str) -> int:
    """New connections from the far client that came past our table."""
    rules = json.loads(site.on(host, "nft", "-j", "list", "chain", "inet", "foreign", "input"))["nftables"]
    expressions = [one for rule in rules for one in rule.get("rule", {}).get("expr", [])]
    return int(next(one["counter"]["packets"] for one in expressions if "counter" in one))


def mac_of(site: Site, host: str, interface: str) -> str:
    return site.on(host, "cat", f"/sys/class/net/{interface}/address").strip()


@pytest.mark.parametrize("purpose", NUMBER)
def test_from_each_network_exactly_its_ports_answer(nets: Site, purpose: str) -> None:
    known = {MAIN: {"management": [22, 80, 443], "cluster": [443, 7422], "device": [9500]},
             SUB: {"management": [22, 80, 443], "cluster": [443], "device": [9500]}}  # fmt: skip
    with plug(nets.lab, purpose, 70) as place:
        for host in HOST:
            found = place.open_ports(address(host, purpose))
            assert found == promised(nets, host, purpose)
            decoders = [9340] if host == MAIN else []
            assert found == known[host].get(purpose, [80, 443, 9100, 9102, 9320, 9322, *decoders])


@pytest.mark.parametrize("purpose", NUMBER)
def test_no_network_leads_to_an_address_of_another_one(nets: Site, purpose: str) -> None:
    with plug(nets.lab, purpose, 70) as place:
        for host in HOST:
            tried = sorted({int(row["port"]) for row in matrix(nets, host)} | {9999})
            for other in (one for one in NUMBER if one != purpose):
                # Straight to the node's card, as one would who knows the address.
                place.knows(address(host, other), mac_of(nets, host, INSIDE[purpose]))
                assert place.open_ports(address(host, other), tried) == []


def test_it_is_our_table_that_keeps_the_networks_apart(nets: Site) -> None:
    target = address(SUB, "cluster")
    with plug(nets.lab, "client", 70) as place:
        place.knows(target, mac_of(nets, SUB, INSIDE["client"]))
        assert place.open_ports(target, [443]) == []
        nets.on(SUB, "nft", "delete", "table", "inet", "dss")
        try:
            assert place.open_ports(target, [443]) == [443], "the packets of these tests do not arrive at all"
        finally:
            nets.on(SUB, "systemctl", "restart", "dss-firewall.service")
        assert place.open_ports(target, [443]) == []


def test_an_address_is_told_on_its_own_network_alone(nets: Site) -> None:
    ask = ("ping", "-c", "1", "-W", "1", address(MAIN, "cluster"))
    with plug(nets.lab, "client", 70) as place:
        place.run("ip", "route", "replace", "198.18.1.0/24", "dev", place.interface)
        place.run("sh", "-c", f"{' '.join(ask)} || true")
        assert "lladdr" not in place.run("ip", "neigh", "show", address(MAIN, "cluster"))


@pytest.mark.parametrize("host", HOST)
def test_listeners_are_the_matrix_address_by_address(nets: Site, host: str) -> None:
    wanted: dict[tuple[str, int], set[str]] = {}
    for row in matrix(nets, host):
        places = {row["address"] or "127.0.0.1"} | ({"127.0.0.1"} if row["service"] == "nginx" else set())
        wanted.setdefault((row["protocol"], int(row["port"])), set()).update(places)
    found = listening(nets, host)
    for rows in (found, wanted):
        rows.pop(("tcp", 22), None)
    assert found == wanted


@pytest.mark.parametrize(
    ("last", "mac", "passes"),
    [
        (150, "", False),
        (70, "", True),
        (200, "02:00:5e:10:00:c8", True),
        (200, "02:00:5e:10:00:c9", False),
        (151, "02:00:5e:10:00:c8", False),
    ],
    ids=[
        "stranger",
        "listed network",
        "listed pair",
        "listed address, other card",
        "listed card, other address",
    ],
)
def test_only_who_is_on_the_allow_list_reaches_a_network(
    nets: Site, last: int, mac: str, passes: bool
) -> None:
    with plug(nets.lab, "management", last, mac) as place:
        found = place.open_ports(address(MAIN, "management"), [22, 80, 443])
    assert found == ([22, 80, 443] if passes else [])


def test_clients_behind_the_gateway_are_answered_through_it(nets: Site) -> None:
    with far_client(nets.lab) as gate:
        assert reached(gate, address(MAIN, "client"), FAR)
        assert reached(gate, address(SUB, "client"), FAR)


def far_client(lab: Lab) -> Any:  # noqa: ANN401 - a context of a Place
    """The gateway of the client network, with a client on its far side."""
    return plug(lab, "client", 254, GATEWAY_MAC)


def reached(place: Place, target: str, source: str, seconds: float = 2) -> bool:
    """Whether HTTPS takes a connection from `source`, an address that the place is given for it."""
    place.run("ip", "address", "replace", f"{source}/32", "dev", "lo")
    program = (
        "import socket, sys\ns = socket.socket()\n"
        "s.bind((sys.argv[2], 0))\ns.settimeout(float(sys.argv[3]))\n"
        "print(s.connect_ex((sys.argv[1], 443)))"
    )
    return place.run(sys.executable, "-c", program, target, source, str(seconds)).strip() == "0"


def neighbour(site: Site, host: str, whose: str) -> str:
    """The hardware address that a node knows for an address of the client network."""
    words = site.on(host, "ip", "neigh", "show", whose, "dev", "eth2").split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def test_spoofed_arp_takes_a_neighbour_but_not_the_gateway(nets: Site) -> None:
    target, bystander = address(MAIN, "client"), "198.18.2.77"
    with (
        far_client(nets.lab) as gate,
        plug(nets.lab, "client", 66) as attacker,
        plug(nets.lab, "client", 77) as other,
    ):
        assert reached(gate, target, FAR)
        assert other.open_ports(target, [443]) == [443]
        true = other.mac
        with attacker.spoofing(bystander, target, 20):
            until_neighbour(nets, bystander, attacker.mac)
        assert true != attacker.mac
        with attacker.spoofing(GATEWAY, target, 20):
            end = time.monotonic() + 6
            while time.monotonic() < end:
                assert reached(gate, target, FAR)
                assert neighbour(nets, MAIN, GATEWAY) == GATEWAY_MAC
            # The node forgets it and has to ask anew, while the attacker shouts louder than the gateway.
            nets.on(MAIN, "ip", "neigh", "flush", "dev", "eth2")
            assert reached(gate, target, FAR, 5)
            assert neighbour(nets, MAIN, GATEWAY) == GATEWAY_MAC


def until_neighbour(site: Site, whose: str, mac: str) -> None:
    """Wait until the node believes that an address is at a hardware address: what a spoof can do."""
    end = time.monotonic() + 15
    while neighbour(site, MAIN, whose) != mac:
        assert time.monotonic() < end, "the spoof has no effect at all, so this test proves nothing"
        time.sleep(0.2)


def test_packets_from_outside_with_another_card_than_the_gateways_are_dropped(nets: Site) -> None:
    nets.on(MAIN, "nft", COUNTING)
    target = address(MAIN, "client")
    try:
        with far_client(nets.lab) as gate, plug(nets.lab, "client", 66) as attacker:
            assert reached(gate, target, FAR)
            before = counted(nets, MAIN)
            assert before >= 1
            assert not reached(attacker, target, FAR)
            assert counted(nets, MAIN) == before
    finally:
        nets.on(MAIN, "nft", "delete", "table", "inet", "foreign")


def test_a_foreign_table_is_untouched_by_a_deployment(nets: Site) -> None:
    nets.on(SUB, "nft", COUNTING)
    try:
        before = table(nets, SUB)
        nets.on(SUB, "systemctl", "reload", "dss-firewall.service")
        nets.on(SUB, "systemctl", "restart", "dss-firewall.service")
        play = nets.play("--limit", SUB)
        assert play.code == 0, play.output[-4000:]
        assert table(nets, SUB) == before
    finally:
        nets.on(SUB, "nft", "delete", "table", "inet", "foreign")


def test_a_second_deployment_changes_nothing(nets: Site) -> None:
    play = nets.play()
    assert play.code == 0, play.output[-4000:]
    assert play.changed == {MAIN: 0, SUB: 0}


def test_a_client_watches_cameras_of_the_device_network(nets: Site) -> None:
    ca = nets.lab.folder / "ca.pem"
    ca.write_text(nets.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))
    base = f"https://{address(MAIN, 'client')}"
    words = (sys.executable, "-m", "lab.edge_client", base, str(ca), PASSWORD, "5")
    with plug(nets.lab, "client", 70) as place:
        seen = json.loads(place.run("env", f"PYTHONPATH={ROOT}", *words))
        assert place.open_ports("198.18.3.101", [80, 554]) == []
    assert set(seen) == {name for name, _, _ in CAMERAS}
    for one in seen.values():
        assert one["frames"] > 50
        assert one["lost"] == 0
        assert one["rtsp_frames"] == 25
    told = {one["rtsp"]["lan"].split("/")[2] for one in seen.values()}
    assert told == {f"{address(host, 'client')}:9100" for host in HOST}


@pytest.mark.parametrize("host", HOST)
def test_the_certificate_and_the_portal_name_every_address(nets: Site, host: str) -> None:
    own = {purpose: address(host, purpose) for purpose in NUMBER}
    names = nets.on(
        host, "openssl", "x509", "-in", "/etc/dss/pki/node.pem", "-noout", "-ext", "subjectAltName"
    )
    assert set(own.values()) <= {word.partition(":")[2] for word in names.replace(",", " ").split()}
    admin = nets.admin()
    admin.login(scenario.USER, PASSWORD)
    told = {one["id"]: one["addresses"] for one in admin.get("/topology")["vertices"]}
    assert told[host] == own


def test_nodes_talk_to_each_other_by_the_cluster_network_alone(nets: Site) -> None:
    found = nets.on(SUB, "ss", "-Htn", "state", "established")
    peers = {word.rpartition(":")[0] for line in found.splitlines() for word in [line.split()[3]]}
    assert address(MAIN, "cluster") in peers
    assert not {address(MAIN, purpose) for purpose in NUMBER if purpose != "cluster"} & peers


def test_a_node_comes_back_from_a_power_cut_with_all_its_networks(nets: Site) -> None:
    nets.lab.poweroff(SUB)
    nets.lab.boot(SUB)
    found = json.loads(nets.on(SUB, "dss", "verify", "--json"))
    assert [one for one in found["checks"] if not one["ok"]] == []
    with plug(nets.lab, "client", 70) as place:
        assert place.open_ports(address(SUB, "client"), [443, 9100]) == [443, 9100]


def test_uninstalling_takes_vlans_routes_and_tables_away_and_leaves_foreign_ones(nets: Site) -> None:
    nets.on(SUB, "nft", COUNTING)
    assert "eth0.30" in nets.on(SUB, "ip", "-br", "link")
    play = nets.play("--limit", SUB, playbook="playbooks/uninstall.yml")
    assert play.code == 0, play.output[-4000:]
    assert "eth0.30" not in nets.on(SUB, "ip", "-br", "link")
    assert address(SUB, "client") not in nets.on(SUB, "ip", "rule", "show")
    assert nets.on(SUB, "cat", "/proc/sys/net/ipv4/ip_nonlocal_bind").strip() == "0"
    assert "dss" not in nets.on(SUB, "find", "/etc/systemd")
    # The host's own nft went with its package.
    words = ["nsenter", "-t", str(nets.lab.host(SUB).leader), "-n", "nft", "list", "tables"]
    left = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert left.split("\n") == ["table inet foreign", ""]


def test_a_node_may_go_back_to_one_network(nets: Site) -> None:
    play = nets.play("--limit", MAIN, *ONE_NETWORK)
    assert play.code == 0, play.output[-4000:]
    assert "eth0.30" not in nets.on(MAIN, "ip", "-br", "link")
    assert "198.18.2.10" not in nets.on(MAIN, "ip", "rule", "show")
    assert nets.on(MAIN, "nft", "list", "tables").split("\n") == ["table inet dss", ""]
    assert "dss-networks" not in nets.on(MAIN, "find", "/etc/systemd")
    assert listening(nets, MAIN)["tcp", 9100] >= {"0.0.0.0"}  # noqa: S104 - what is read, nothing is bound
