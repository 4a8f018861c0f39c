# ruff: noqa: E501 - in the table below one line is one mistake
"""Mistakes of an inventory's routers are found without a host, at their line, with their remedy."""

from pathlib import Path

import pytest

from services import catalog, topology
from services.topology import InventoryErrors, Mistake

KNOWN = catalog.load()
SITE = """\
all:
  children:
    main: {hosts: {main-a: {ansible_host: 198.18.0.10, dss_mapping_ip: 203.0.113.10}}}
    sub: {hosts: {sub-1: {ansible_host: 198.18.0.21, dss_mapping_ip: 203.0.113.22}}}
    router:
      hosts:
        edge:
          ansible_host: 198.18.0.1
          dss_dmz: [clients]
          dss_wan_ip: 203.0.113.10
          dss_wan_addresses: [203.0.113.22]
          dss_wan_interface: wan0
"""
SECOND = """\
        gate:
          ansible_host: 198.18.0.2
          dss_dmz: [clients]
          dss_wan_ip: 203.0.113.22
          dss_wan_interface: wan0
"""


def mistakes(folder: Path, text: str) -> list[Mistake]:
    (folder / "hosts.yml").write_text(text)
    try:
        topology.load(folder, catalog=KNOWN)
    except InventoryErrors as found:
        return found.errors
    return []


def test_the_site_itself_is_right(tmp_path: Path) -> None:
    assert mistakes(tmp_path, SITE) == []


@pytest.mark.parametrize(
    ("before", "after", "key", "says"),
    [
        ("          dss_wan_interface: wan0\n", "", "edge.dss_wan_interface", "ip -brief address"),
        ("dss_wan_interface: wan0", "dss_wan_interface: 'wan0; flush'", "dss_wan_interface", "not the name"),
        (", dss_mapping_ip: 203.0.113.22", ", dss_mapping_ip: 203.0.113.23", "sub-1.dss_mapping_ip", "edge"),
        (", dss_mapping_ip: 203.0.113.22", ", dss_mapping_ip: '2001:db8::2'", "sub-1.dss_mapping_ip", "IPv6"),
        (", dss_mapping_ip: 203.0.113.22", ", dss_mapping_ip: 203.0.113.10", "sub-1.dss_mapping_ip", "main-a"),
        ("dss_wan_interface: wan0\n", "dss_wan_interface: wan0\n" + SECOND, "sub-1.dss_mapping_ip", "gate"),
        ("dss_dmz: [clients]", "dss_dmz: [guests]", "dss_dmz", "clients, devices"),
        ("dss_dmz: [clients]", "dss_dmz: [clients]\n          dss_wan_services: [443/tcp]", "edge.dss_wan_services", "nginx.https of main-a"),
        ("dss_dmz: [clients]", "dss_dmz: [clients]\n          dss_wan_services: [ssh]", "dss_wan_services", "51820/udp"),
        ("dss_dmz: [clients]", "dss_dmz: [clients]\n          dss_router_host_key: ssh-dss AAAA", "dss_router_host_key", "SSH host key"),
        ("dss_dmz: [clients]", "dss_dmz: [clients]\n          dss_wan_ports: {mts.rtsp: 9999}", "dss_wan_ports.mts.rtsp", "inside 9100"),
    ],
)  # fmt: skip
def test_a_mistake_names_key_reason_and_remedy(
    tmp_path: Path, before: str, after: str, key: str, says: str
) -> None:
    assert before in SITE
    found = [m for m in mistakes(tmp_path, SITE.replace(before, after)) if m.key == key]
    assert says in " ".join(f"{m.message} {m.remedy}" for m in found)


def test_a_router_for_nobody_is_refused(tmp_path: Path) -> None:
    text = SITE.replace(", dss_mapping_ip: 203.0.113.10", "").replace(", dss_mapping_ip: 203.0.113.22", "")
    assert [m.key for m in mistakes(tmp_path, text)] == ["edge.dss_dmz"]


def test_a_router_without_an_outside_address_is_refused(tmp_path: Path) -> None:
    text = SITE.replace("          dss_wan_ip: 203.0.113.10\n", "")
    text = text.replace("          dss_wan_addresses: [203.0.113.22]\n", "")
    assert "edge.dss_wan_ip" in {m.key for m in mistakes(tmp_path, text)}


def test_a_router_that_maps_nothing_needs_nothing(tmp_path: Path) -> None:
    assert mistakes(tmp_path, SITE[: SITE.index("          dss_dmz")]) == []


def test_a_port_that_is_switched_off_leaves_its_number_to_the_router(tmp_path: Path) -> None:
    number = next(p.port for p in KNOWN.services["nginx"].ports if p.name == "tls10")
    own = f"dss_dmz: [clients]\n          dss_wan_services: [{number}/tcp]"
    text = SITE.replace("dss_dmz: [clients]", own)
    assert mistakes(tmp_path, text) == []
    switched = text.replace("dss_mapping_ip: 203.0.113.10", "dss_mapping_ip: 203.0.113.10, dss_tls10: true")
    assert [m.key for m in mistakes(tmp_path, switched)] == ["edge.dss_wan_services"]
