"""The rendered rules in a real kernel: what was mapped is reachable, and nothing else is."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from router_space import NODES, Space

from lab import needs
from services import catalog as catalog_module
from services import topology
from services.catalog import Catalog
from services.router import nftables
from services.router.mapping import Dmz, rules

INVENTORY = """\
all:
  vars: {dss_site: Harbour}
  children:
    main: {hosts: {main-a: {ansible_host: 198.18.0.10, dss_mapping_ip: 203.0.113.10}}}
    sub: {hosts: {sub-1: {ansible_host: 198.18.0.21, dss_mapping_ip: 203.0.113.22}}}
    router:
      hosts:
        edge:
          ansible_host: 198.18.0.1
          dss_wan_ip: 203.0.113.10
          dss_wan_addresses: [203.0.113.22]
          dss_wan_interface: wan0
          dss_wan_services: [51820/udp, 2222/tcp]
          dss_dmz: SCOPES
"""
FOREIGN = """
table inet foreign {
    chain watch { type filter hook forward priority 10; policy accept; counter; }
}
"""


def later() -> Catalog:
    """The catalogue of a release in which every service is built: devices and UDP are mapped then."""
    found = catalog_module.load()
    return Catalog({name: replace(one, status="built") for name, one in found.services.items()})


def dmz(folder: Path, scopes: str, known: Catalog) -> Dmz:
    (folder / "hosts.yml").write_text(INVENTORY.replace("SCOPES", scopes))
    site = topology.load(folder, catalog=known)
    return rules(known, site, site.hosts["edge"])


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    """Nodes that listen on everything DSS ever uses, and on more that must stay closed."""
    needs.root()
    with Space() as made:
        numbers = {p.port: None for m in later().services.values() for p in m.ports if p.direction == "in"}
        words = [f"{n}/{proto}" for n in {*numbers, 22, 8443, 51820} for proto in ("tcp", "udp")]
        made.listen("node", ",".join(words), ",".join(NODES))
        made.listen("edge", "22/tcp,2222/tcp,53/udp,51820/udp", "203.0.113.10,203.0.113.22,198.18.0.1")
        made.on("edge", "nft", "-f", "-", text=FOREIGN)
        yield made


def expected(found: Dmz, wan: str, proto: str) -> list[int]:
    own = {"tcp": [2222], "udp": [51820]}[proto]
    return sorted([m.port for m in found.mappings if m.wan == wan and m.proto == proto] + own)


@pytest.mark.parametrize(
    "scopes",
    [
        "[clients, devices]",
        pytest.param("[clients]", marks=pytest.mark.full),
        pytest.param("[devices]", marks=pytest.mark.full),
    ],
)
def test_from_outside_exactly_the_mapped_ports_are_open(space: Space, tmp_path: Path, scopes: str) -> None:
    found = dmz(tmp_path, scopes, later())
    space.on("edge", "nft", "-f", "-", text=nftables.rules(found))
    every = list(range(1, 65536))
    for wan in ("203.0.113.10", "203.0.113.22")[: 2 if scopes == "[clients]" else 1]:
        assert space.sweep("wan", wan) == expected(found, wan, "tcp")
        assert space.ask_udp("wan", wan, every) == expected(found, wan, "udp")


def test_the_inside_addresses_lead_nowhere_from_outside(space: Space, tmp_path: Path) -> None:
    space.on("edge", "nft", "-f", "-", text=nftables.rules(dmz(tmp_path, "[clients, devices]", later())))
    assert space.sweep("wan", NODES[0]) == []
    assert space.ask_udp("wan", NODES[0], [5080, 37810, 53]) == []


def test_each_node_answers_at_its_own_outside_address_and_sees_the_client(
    space: Space, tmp_path: Path
) -> None:
    space.on("edge", "nft", "-f", "-", text=nftables.rules(dmz(tmp_path, "[clients]", catalog_module.load())))
    assert space.ask("wan", "203.0.113.10", 443) == ("198.18.0.10", "203.0.113.50")
    assert space.ask("wan", "203.0.113.22", 443) == ("198.18.0.21", "203.0.113.50")


def test_local_clients_use_the_outside_address_too(space: Space, tmp_path: Path) -> None:
    space.on("edge", "nft", "-f", "-", text=nftables.rules(dmz(tmp_path, "[clients]", catalog_module.load())))
    assert space.ask("lan", "203.0.113.22", 443) == ("198.18.0.21", "198.18.0.1")
    assert space.ask("lan", "198.18.0.21", 443) == ("198.18.0.21", "198.18.0.77")


def test_loading_again_changes_nothing_and_leaves_foreign_tables_alone(space: Space, tmp_path: Path) -> None:
    text = nftables.rules(dmz(tmp_path, "[clients]", catalog_module.load()))
    states = []
    for _ in range(2):
        space.on("edge", "nft", "-f", "-", text=text)
        states.append(space.on("edge", "nft", "-s", "list", "ruleset"))
    assert states[0] == states[1]
    assert "table inet foreign" in states[0]
    assert nftables.mark(dmz(tmp_path, "[clients]", catalog_module.load())) in states[0]


def test_the_removal_script_closes_everything_and_leaves_foreign_tables_alone(
    space: Space, tmp_path: Path
) -> None:
    found = dmz(tmp_path, "[clients]", catalog_module.load())
    space.on("edge", "nft", "-f", "-", text=nftables.rules(found))
    (script,) = nftables.removal(found).values()
    # systemd and /etc are this machine's own here, not the router's: the lab's test covers them.
    shell = "systemctl() { :; }\nrm() { :; }\n" + script
    for _ in range(2):
        space.on("edge", "sh", "-c", shell)
    left = space.on("edge", "nft", "list", "ruleset")
    assert "dss_dmz" not in left
    assert "table inet foreign" in left
    with pytest.raises(AssertionError):
        space.ask("wan", "203.0.113.10", 443)


def test_the_removal_script_spares_the_table_of_another_site(space: Space, tmp_path: Path) -> None:
    found = dmz(tmp_path, "[clients]", catalog_module.load())
    space.on("edge", "nft", "-f", "-", text=nftables.rules(replace(found, tag="dss:elsewhere")))
    (script,) = nftables.removal(found).values()
    words = space.inside("edge", "sh", "-c", "systemctl() { :; }\nrm() { :; }\n" + script)
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "another site" in refused.stderr
    assert "dss_dmz" in space.on("edge", "nft", "list", "ruleset")
