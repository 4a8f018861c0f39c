"""The lab takes its hosts from an inventory and refuses, with a remedy, what it cannot build."""

from pathlib import Path

import pytest

from lab import inventory
from lab.tools import LabError


def read(tmp_path: Path, text: str) -> list[inventory.Machine]:
    (tmp_path / "hosts.yml").write_text(text)
    return inventory.read(tmp_path)


def test_hosts_of_nested_groups_get_their_groups_links_and_variables(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        all:
          vars: {site: demo}
          children:
            main: {hosts: {main-a: {ansible_host: 198.18.0.10}}}
            sub: {hosts: {far: {ansible_host: 203.0.113.9}}}
            router: {hosts: {gate: {ansible_host: 198.18.0.254, wan_address: 203.0.113.2}}}
            camera:
              vars: {lab_camera: h265}
              hosts: {cam-1: {ansible_host: 198.18.0.101}}
        """,
    )
    by_name = {machine.name: machine for machine in found}
    assert by_name["main-a"].links == {"lan": "198.18.0.10"}
    assert by_name["far"].links == {"wan": "203.0.113.9"}
    assert by_name["gate"].links == {"lan": "198.18.0.254", "wan": "203.0.113.2"}
    assert by_name["cam-1"].is_camera
    assert by_name["cam-1"].vars == {"site": "demo", "lab_camera": "h265", "ansible_host": "198.18.0.101"}


def test_a_host_of_two_groups_is_one_machine(tmp_path: Path) -> None:
    found = read(tmp_path, "main: {hosts: {a: {ansible_host: 198.18.0.10}}}\netcd: {hosts: {a: {}}}\n")
    assert [(m.name, m.groups) for m in found] == [("a", ("main", "etcd"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main: {hosts: {a: {}}}", "a has no usable ansible_host"),
        ("main: {hosts: {a: {ansible_host: 10.0.0.1}}}", "198.18.0.0/24 and 203.0.113.0/24"),
        ("main: {hosts: {a: {ansible_host: 198.18.0.1}}}", "the controller"),
        ("main: {hosts: {a-very-long-name: {ansible_host: 198.18.0.9}}}", "Shorten"),
        ("m: {hosts: {a: {ansible_host: 198.18.0.9}, b: {ansible_host: 198.18.0.9}}}", "a both have"),
        ("main: [", "is not YAML"),
        ("just words", "holds no groups"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_file_and_a_remedy(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(LabError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "hosts.yml" in str(refused.value)


def test_a_missing_inventory_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="nowhere"):
        inventory.read(tmp_path / "nowhere")


NETWORKS = """
all:
  vars:
    dss_gateway: 198.18.0.1
    dss_gateway_mac: "02:00:5e:10:00:01"
    dss_networks:
      management: {network: 198.18.0.0/24, interface: eth0}
      device: {network: 198.18.3.0/24, interface: eth0, vlan: 30}
  children:
    main:
      hosts:
        main-a: {ansible_host: 198.18.0.10, dss_addresses: {management: 198.18.0.10, device: 198.18.3.10}}
    camera: {hosts: {cam-1: {ansible_host: 198.18.3.101}}}
    router: {hosts: {edge: {ansible_host: 198.18.0.1, dss_wan_ip: 203.0.113.10}}}
"""


def test_networks_of_a_site_are_switches_and_a_vlan_is_a_cable_without_address(tmp_path: Path) -> None:
    main, camera, _ = read(tmp_path, NETWORKS)
    assert main.links == {"lan": "198.18.0.10", "device": "198.18.3.10"}
    assert (main.inside("lan"), main.inside("device"), main.bare) == ("eth0", "eth0.30", ["device"])
    assert main.address == "198.18.0.10"
    assert (camera.links, str(camera.network("device"))) == ({"device": "198.18.3.101"}, "198.18.3.0/24")


def test_a_router_may_have_the_first_address_and_has_the_card_that_nodes_expect(tmp_path: Path) -> None:
    edge = read(tmp_path, NETWORKS)[2]
    assert edge.links == {"lan": "198.18.0.1", "wan": "203.0.113.10"}
    assert edge.macs == {"lan": "02:00:5e:10:00:01"}


def test_two_places_of_a_host_in_one_network_are_refused(tmp_path: Path) -> None:
    twice = NETWORKS.replace("main-a: {ansible_host: 198.18.0.10", "main-a: {ansible_host: 198.18.0.11")
    with pytest.raises(LabError, match="two places"):
        read(tmp_path, twice)


def test_every_example_that_the_lab_can_hold_is_understood() -> None:
    for name in ("demo", "distributed", "lan_wan", "networks", "standalone"):
        assert inventory.read(Path(__file__).resolve().parents[2] / "inventories" / name)
