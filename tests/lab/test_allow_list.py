"""Gateway binding and allow list on a node with one network, by real packets."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.fixtures import PASSWORD
from lab.places import Place, plugged
from lab.site import SUB, Site

pytestmark = [pytest.mark.full]

NODE, GATEWAY, GATEWAY_MAC = "198.18.0.21", "198.18.0.254", "02:00:5e:10:00:fe"
CARD = "02:00:5e:10:00:c8"
CHANGED = {
    "dss_gateway": GATEWAY,
    "dss_gateway_mac": GATEWAY_MAC,
    # The deploying machine and main; an address with its card; the gateway.
    "dss_allow": ["198.18.0.0/28", f"198.18.0.200 {CARD}", GATEWAY],
}
OPEN = [22, 80, 443, 9100, 9102, 9320, 9322]


def plug(site: Site, last: int, mac: str = "") -> Any:  # noqa: ANN401 - a context of a Place
    return plugged(site.lab, "198.18.0.0/24", "lan", f"198.18.0.{last}", mac)


@pytest.fixture(scope="module")
def bound(site: Site) -> Iterator[Site]:
    """The sub with both, deployed; taken back at the end."""
    play = site.play("--limit", SUB, "-e", json.dumps(CHANGED))
    assert play.code == 0, play.output[-4000:]
    yield site
    play = site.play("--limit", SUB)
    assert play.code == 0, play.output[-4000:]
    assert "arp" not in site.on(SUB, "nft", "list", "tables")
    with plug(site, 150) as stranger:
        assert stranger.open_ports(NODE, OPEN) == OPEN


def test_a_list_that_would_lock_the_deploying_machine_out_is_refused_before_anything_is_written(
    site: Site,
) -> None:
    before = site.on(SUB, "nft", "list", "ruleset")
    play = site.play("--limit", SUB, "-e", json.dumps({"dss_allow": ["198.18.0.200"]}))
    assert play.code != 0
    assert "way in for deployment" in play.output
    assert "named in 198.18.0.200" in play.output
    assert site.on(SUB, "nft", "list", "ruleset") == before


@pytest.mark.parametrize(
    ("last", "mac", "passes"),
    [(150, "", False), (5, "", True), (200, CARD, True), (200, "02:00:5e:10:00:c9", False)],
    ids=["stranger", "listed network", "listed pair", "listed address, other card"],
)
def test_only_who_is_on_the_list_reaches_the_node(bound: Site, last: int, mac: str, passes: bool) -> None:
    with plug(bound, last, mac) as place:
        assert place.open_ports(NODE, OPEN) == (OPEN if passes else [])


def known(site: Site, address: str) -> str:
    """The hardware address that the node knows for an address."""
    words = site.on(SUB, "ip", "neigh", "show", address, "dev", "host0").split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def asks(site: Site, address: str) -> None:
    """Have the node ask for an address, as it does before it sends there."""
    site.on(SUB, "ip", "neigh", "flush", "dev", "host0", "to", address)
    site.on(SUB, "sh", "-c", f"ping -c 1 -W 2 {address} >/dev/null || true")


def test_spoofed_arp_takes_a_neighbour_but_not_the_gateway(bound: Site) -> None:
    with plug(bound, 254, GATEWAY_MAC), plug(bound, 66) as attacker, plug(bound, 5) as other:
        asks(bound, "198.18.0.5")
        assert known(bound, "198.18.0.5") == other.mac
        with attacker.spoofing("198.18.0.5", NODE, 20):
            believes(bound, "198.18.0.5", attacker)
        asks(bound, GATEWAY)
        with attacker.spoofing(GATEWAY, NODE, 20):
            end = time.monotonic() + 6
            while time.monotonic() < end:
                assert known(bound, GATEWAY) == GATEWAY_MAC
            asks(bound, GATEWAY)
            assert known(bound, GATEWAY) == GATEWAY_MAC


def believes(site: Site, address: str, liar: Place) -> None:
    """Wait until the node takes the liar for somebody else: what a spoof can do where nothing is bound."""
    end = time.monotonic() + 15
    while known(site, address) != liar.mac:
        assert time.monotonic() < end, "the spoof has no effect at all, so this test proves nothing"
        time.sleep(0.2)


def test_who_claims_the_gateways_address_with_another_card_is_dropped(bound: Site) -> None:
    with plug(bound, 254, GATEWAY_MAC) as gate:
        assert gate.open_ports(NODE, [443]) == [443]
    with plug(bound, 254, "02:00:5e:10:00:01") as liar:
        # It has the node's card already, and the node is told its own: only the firewall is left.
        liar.knows(NODE, bound.on(SUB, "cat", "/sys/class/net/host0/address").strip())
        bound.on(
            SUB, "ip", "neigh", "replace", GATEWAY, "lladdr", liar.mac, "dev", "host0", "nud", "permanent"
        )
        try:
            assert liar.open_ports(NODE, OPEN) == []
        finally:
            bound.on(SUB, "ip", "neigh", "delete", GATEWAY, "dev", "host0")


def test_the_node_still_talks_to_its_main(bound: Site) -> None:
    admin = bound.admin()
    admin.login("admin", PASSWORD)
    assert {one["name"]: one["reach"] for one in admin.get("/nodes")}[SUB] == "reachable"
