# ruff: noqa: E501 - in the tables below one line is one mistake
"""Networks by purpose in an inventory: what they mean, and every mistake at its line with a remedy."""

import json
from pathlib import Path

import pytest

from services import catalog as catalog_module
from services import facts, topology
from services.topology import InventoryErrors, Mistake

KNOWN = catalog_module.load()
SITE = """\
all:
  vars:
    dss_networks:
      client: {network: 198.18.2.0/24, interface: eth1}
  children:
    main:
      hosts:
        main-a: {ansible_host: 198.18.0.10, dss_addresses: {client: 198.18.2.10}}
    sub:
      hosts:
        sub-1: {ansible_host: 198.18.0.21, dss_addresses: {client: 198.18.2.21}}
    camera:
      hosts:
        cam-1: {ansible_host: 198.18.0.101}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "hosts.yml").write_text(text)
    return folder


def mistake(folder: Path, text: str) -> Mistake:
    """The only thing that is wrong in an inventory."""
    with pytest.raises(InventoryErrors) as caught:
        topology.load(write(folder, text), catalog=KNOWN)
    assert len(caught.value.errors) == 1, str(caught.value)
    return caught.value.errors[0]


def client(more: str) -> str:
    """The site with another network for clients, in line 4."""
    return SITE.replace("{network: 198.18.2.0/24, interface: eth1}", more)


def test_what_has_no_network_stays_on_the_service_address(tmp_path: Path) -> None:
    site = topology.load(write(tmp_path, SITE), catalog=KNOWN)
    sub = site.hosts["sub-1"]
    assert [sub.at(one) for one in ("management", "cluster", "client", "device")] == [
        "198.18.0.21",
        "198.18.0.21",
        "198.18.2.21",
        "198.18.0.21",
    ]
    assert sub.center
    assert (sub.center.address, sub.center.client) == ("198.18.0.10", "198.18.2.10")
    assert site.hosts["cam-1"].networks == ()


def test_other_nodes_reach_a_node_at_its_cluster_address(tmp_path: Path) -> None:
    text = SITE.replace("client: {", "cluster: {").replace("{client: ", "{cluster: ")
    site = topology.load(write(tmp_path, text), catalog=KNOWN)
    assert site.hosts["sub-1"].address == "198.18.2.21"
    assert site.hosts["sub-1"].center
    assert site.hosts["sub-1"].center.address == "198.18.2.10"


def test_facts_bring_the_networks_of_a_host_to_the_node_unchanged(tmp_path: Path) -> None:
    text = client(
        "{network: 198.18.2.0/24, interface: eth1, vlan: 7, gateway: 198.18.2.1, allow: [198.18.2.0/25]}"
    )
    site = topology.load(write(tmp_path, text), catalog=KNOWN)
    host = site.hosts["sub-1"]
    there = facts.host_of(json.loads(json.dumps(facts.of(site.site, host, KNOWN))), KNOWN)
    assert (there.networks, there.address, there.center) == (host.networks, host.address, host.center)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("{network: 198.18.2.0/24, interface: eth1, vlan: 0}", "1 to 4094"),
        ("{network: 198.18.2.0/24, interface: eth1, vlan: 4095}", "1 to 4094"),
        ("{network: 198.18.2.0/24, interface: eth1, vlan: '30'}", "1 to 4094"),
        ("{network: 198.18.2.0/24, vlan: 30}", "VLAN 30 has no parent"),
        ("{network: 198.18.2.0/24, interface: enp0s31f6xyz, vlan: 4000}", "Linux keeps 15"),
        ("{network: 198.18.2.0/24}", "interface is missing"),
        ("{interface: eth1}", "network is missing"),
        ("{network: 198.18.2.1/24, interface: eth1}", "host part must be zero"),
        ("{network: 198.18.2.10, interface: eth1}", "no network with its prefix"),
        ("{network: 198.18.2.0/24, interface: 'eth 1'}", "no name of an interface"),
        ("{network: 198.18.2.0/24, interface: eth1, vlna: 30}", "Did you mean vlan?"),
        (
            "{network: 198.18.2.0/24, interface: eth1, gateway: 198.18.9.1}",
            "198.18.9.1 is not in 198.18.2.0/24",
        ),
        ("{network: 198.18.2.0/24, interface: eth1, gateway_mac: '02:00:5e:10:00:01'}", "whose MAC address"),
        (
            "{network: 198.18.2.0/24, interface: eth1, gateway: 198.18.2.1, gateway_mac: '02:00'}",
            "no MAC address",
        ),
        ("{network: 198.18.2.0/24, interface: eth1, allow: [printer]}", "no list of addresses"),
        ("198.18.2.0/24", "says neither network nor interface"),
    ],
)
def test_a_wrong_network_is_found_in_its_line(tmp_path: Path, more: str, says: str) -> None:
    found = mistake(tmp_path, client(more))
    assert (found.file, found.key) == ("hosts.yml:4", "dss_networks.client")
    assert says in f"{found.message} {found.remedy}"


@pytest.mark.parametrize(
    ("text", "file", "key", "says"),
    [
        (SITE.replace("      client: {n", "      clinet: {n"), "hosts.yml:4", "dss_networks.clinet", "Did you mean client?"),
        (SITE.replace("198.18.2.21", "198.18.9.21"), "hosts.yml:11", "sub-1.dss_addresses.client", "198.18.9.21 is not in 198.18.2.0/24, the network client on eth1"),
        (SITE.replace("198.18.2.21", "198.18.2.255"), "hosts.yml:11", "sub-1.dss_addresses.client", "no address for a host"),
        (SITE.replace("198.18.2.21", "198.18.2.10"), "hosts.yml:11", "sub-1.dss_addresses.client", "also the address of main-a (client)"),
        (SITE.replace("198.18.2.21", "198.18.2.21/24"), "hosts.yml:11", "dss_addresses.client", "without a prefix"),
        (SITE.replace("{client: 198.18.2.21}", "{client: 198.18.2.21, device: 198.18.3.21}"), "hosts.yml:11", "sub-1.dss_addresses.device", "no network device"),
        (SITE.replace(", dss_addresses: {client: 198.18.2.21}", ""), "hosts.yml:11", "sub-1.dss_addresses", "no address in the network client"),
        (SITE.replace("198.18.0.101", "198.18.2.21"), "hosts.yml:11", "sub-1.dss_addresses.client", "also the address of cam-1"),
        (SITE.replace("      client: {n", "      management: {n").replace("{client: 198.18.2.10}", "{management: 198.18.2.10}").replace("{ansible_host: 198.18.0.10", "{ansible_host: 198.18.2.10").replace("{client: ", "{management: "), "hosts.yml:11", "sub-1.ansible_host", "would lock itself out"),
        (SITE.replace("{ansible_host: 198.18.0.21", "{ansible_host: 198.18.0.21, dss_address: 198.18.0.21").replace("      client: {n", "      cluster: {n").replace("{client: ", "{cluster: "), "hosts.yml:11", "sub-1.dss_address", "Take dss_address out"),
    ],
)  # fmt: skip
def test_addresses_that_do_not_fit_are_found_in_their_line(
    tmp_path: Path, text: str, file: str, key: str, says: str
) -> None:
    found = mistake(tmp_path, text)
    assert (found.file, found.key) == (file, key)
    assert says in f"{found.message} {found.remedy}"


def test_the_network_that_the_deployment_comes_in_by_cannot_be_a_vlan_that_it_makes(tmp_path: Path) -> None:
    text = client("{network: 198.18.2.0/24, interface: eth1, vlan: 9}").replace(
        "      client: {n", "      management: {n"
    )
    text = text.replace("{client: ", "{management: ").replace("_host: 198.18.0.10,", "_host: 198.18.2.10,")
    with pytest.raises(InventoryErrors) as caught:
        topology.load(
            write(tmp_path, text.replace("_host: 198.18.0.21,", "_host: 198.18.2.21,")), catalog=KNOWN
        )
    assert {one.key for one in caught.value.errors} == {"dss_networks.management"}
    assert "interface: eth1.9 without vlan" in caught.value.errors[0].remedy
