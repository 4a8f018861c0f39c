# ruff: noqa: E501 - in the tables below one line is one mistake
"""Every mistake of an inventory is found without a host, at its line, with its key and a remedy."""

from pathlib import Path

import pytest

from services import catalog, topology
from services.topology import InventoryErrors, Mistake

KNOWN = catalog.load()
SITE = """\
all:
  vars:
    dss_site: Test
  children:
    main:
      hosts:
        main-a: {ansible_host: 198.18.0.10}
    sub:
      hosts:
        sub-1: {ansible_host: 198.18.0.21}
        sub-2: {ansible_host: 198.18.0.22}
"""


def mistakes(folder: Path, text: str) -> list[Mistake]:
    """What is wrong in an inventory of this text."""
    (folder / "hosts.yml").write_text(text)
    with pytest.raises(InventoryErrors) as caught:
        topology.load(folder, catalog=KNOWN)
    return caught.value.errors


def one(folder: Path, text: str) -> Mistake:
    """The only thing that is wrong."""
    found = mistakes(folder, text)
    assert len(found) == 1, [str(m) for m in found]
    assert found[0].message
    assert found[0].remedy
    return found[0]


def sub_1(more: str) -> str:
    """The site with more variables at sub-1, which stands in line 10."""
    return SITE.replace("198.18.0.21}", f"198.18.0.21, {more}}}")


def group(text: str) -> str:
    """The site with another group."""
    return SITE + "".join(f"    {line}\n" for line in text.splitlines())


def test_the_site_itself_is_right(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(SITE)
    assert list(topology.load(tmp_path, catalog=KNOWN).hosts) == ["main-a", "sub-1", "sub-2"]


@pytest.mark.parametrize(
    ("more", "key", "says"),
    [
        ("dss_mapping: 203.0.113.9", "dss_mapping", "Did you mean dss_mapping_ip?"),
        ("dss_vip: 198.18.0.9", "dss_vip", "dss_virtual_ip"),
        ("dss_enabled: 'yes'", "dss_enabled", "neither true nor false"),
        ("dss_mapping_ip: 203.0.113.999", "dss_mapping_ip", "not an IP address"),
        ("dss_install_path: srv/dss", "dss_install_path", "not an absolute path"),
        ("dss_install_path: /srv/../etc", "dss_install_path", "not an absolute path"),
        ("dss_install_path: '{{ disk }}'", "dss_install_path", "template"),
        ("dss_ports: {mts.rstp: 19100}", "dss_ports.mts.rstp", "Did you mean mts.rtsp?"),
        ("dss_ports: {mts.rtsp: 81}", "dss_ports.mts.rtsp", "1024 to 65535"),
        ("dss_ports: {mts.rtsp: 65536}", "dss_ports.mts.rtsp", "1024 to 65535"),
        ("dss_ports: {mts.rtsp: '19100'}", "dss_ports.mts.rtsp", "not a port number"),
        ("dss_ports: {mts.rtsp: 9102}", "dss_ports.mts.rtsp", "both use 9102/tcp"),
        ("dss_ports: {mts.rtsp: 9321}", "dss_ports.mts.rtsp", "ss.http and mts.rtsp would both use"),
        ("dss_ports: [mts.rtsp]", "dss_ports", "not a list of"),
        ("dss_lan_networks: [198.18.0.1/24]", "dss_lan_networks", "not a network"),
        ("dss_gateway: 198.18.0.1, dss_gateway_mac: '02:00'", "dss_gateway_mac", "not a MAC address"),
        ("dss_gateway_mac: '02:00:5e:10:00:01'", "dss_gateway_mac", "whose MAC address"),
        ("dss_allow: [printer]", "dss_allow", "neither an address"),
        ("dss_center: sub-2", "sub-1.dss_center", "must be a main"),
        ("dss_center: main-b", "sub-1.dss_center", "Did you mean main-a?"),
        ("dss_covers: [sub-2]", "dss_covers", "means nothing for a host of the group sub"),
        ("dss_tls10: maybe", "dss_tls10", "neither true nor false"),
        ("dss_join_valid: 0", "dss_join_valid", "above 0"),
        ("dss_join_valid: 59", "dss_join_valid", "less than a minute"),
        ("dss_site: ''", "dss_site", "not a text"),
        ("dss_mapping_ip: !vault secret", "dss_mapping_ip", "encrypted"),
    ],
)
def test_a_wrong_variable_is_found_in_its_line(tmp_path: Path, more: str, key: str, says: str) -> None:
    mistake = one(tmp_path, sub_1(more))
    assert (mistake.file, mistake.key) == ("hosts.yml:10", key)
    assert says in f"{mistake.message} {mistake.remedy}"


@pytest.mark.parametrize(
    ("zone", "like"), [("Europe/Berln", "Europe/Berlin"), ("[UTC]", "UTC"), ("Europe", "Europe/")]
)
def test_a_time_zone_that_is_none_is_refused_with_one_that_is(tmp_path: Path, zone: str, like: str) -> None:
    mistake = one(tmp_path, SITE.replace("198.18.0.10}", f"198.18.0.10, dss_timezone: {zone}}}"))
    assert "is no time zone" in mistake.message
    assert like in mistake.remedy


@pytest.mark.parametrize(
    ("text", "file", "key", "says"),
    [
        (SITE.replace("198.18.0.22", "198.18.0.21"), "hosts.yml:11", "sub-2.ansible_host", "address of sub-1"),
        (SITE.replace("{ansible_host: 198.18.0.22}", ""), "hosts.yml:11", "sub-2.ansible_host", "has no address"),
        (SITE.replace("198.18.0.22", "sub-2.local"), "hosts.yml:11", "sub-2.ansible_host", "not an IP address"),
        (SITE.replace("sub-2", "Sub_2"), "hosts.yml:11", "Sub_2", "certificates"),
        (SITE.replace("sub-2", "sub-1"), "hosts.yml:11", "sub-1", "twice"),
        (SITE.replace("  sub:", "  subs:"), "hosts.yml:8", "subs", "Did you mean sub?"),
        (SITE.replace("      hosts:\n        sub-1", "      host:\n        sub-1"), "hosts.yml:9", "sub.host", "only hosts"),
        (SITE.replace("    main:\n      hosts:\n        main-a: {ansible_host: 198.18.0.10}\n", ""), "(inventory)", "main", "needs one main"),
        (SITE.replace("198.18.0.10}", "198.18.0.10}\n        main-b: {ansible_host: 198.18.0.11}"), "hosts.yml:5", "main", "There are 2 hosts"),
        (group("standby:\n  hosts:\n    main-b: {ansible_host: 198.18.0.11}"), "hosts.yml:14", "dss_virtual_ip", "no address in common"),
        (group("spare:\n  hosts:\n    sub-2:"), "hosts.yml:11", "sub-2", "in the groups sub and spare"),
        (group("spare:\n  hosts:\n    spare-1: {ansible_host: 198.18.0.31, dss_covers: [sub-1, sub-9]}"), "hosts.yml:14", "spare-1.dss_covers", "no host sub-9"),
        (group("cascade:\n  hosts:\n    north: {ansible_host: 203.0.113.40}"), "hosts.yml:14", "north.dss_parent", "has no parent"),
        (group("router:\n  hosts:\n    edge: {ansible_host: 198.18.0.1, dss_router: linksys}"), "hosts.yml:14", "dss_router", "nftables, openwrt"),
        (group("router:\n  hosts:\n    edge: {ansible_host: 198.18.0.1, dss_wan_ports: {nginx.https: 8443}}"), "hosts.yml:14", "dss_wan_ports.nginx.https", "inside 443"),
        (SITE.replace("18.0.22}", "18.0.22, ansible_port: ssh}"), "hosts.yml:11", "sub-2.ansible_port", "no port number"),
        ("all: &a {children: *a}", "hosts.yml:1", "(file)", "refers to itself"),
        ("all: [", "hosts.yml:2", "(file)", "cannot be read"),
        (SITE.replace("dss_site", "- dss_site"), "hosts.yml:3", "all.vars", "Names with values"),
    ],
)  # fmt: skip
def test_a_wrong_group_or_relation_is_found(
    tmp_path: Path, text: str, file: str, key: str, says: str
) -> None:
    found = {(m.file, m.key): f"{m.message} {m.remedy}" for m in mistakes(tmp_path, text)}
    assert says in found[(file, key)]


def test_the_shared_address_of_a_pair_is_nobodys_own(tmp_path: Path) -> None:
    text = group(
        "standby:\n  hosts: {main-b: {ansible_host: 198.18.0.11}}\n  vars: {dss_virtual_ip: 198.18.0.10}"
    )
    assert "address of main-a" in one(tmp_path, text).message


def test_the_witness_is_a_third_node(tmp_path: Path) -> None:
    more = "dss_virtual_ip: 198.18.0.9, dss_witness: main-a"
    text = group(f"standby:\n  hosts: {{main-b: {{ansible_host: 198.18.0.11}}}}\n  vars: {{{more}}}")
    assert "neither main nor standby" in one(tmp_path, text).message


def test_nodes_behind_one_outside_address_need_different_numbers(tmp_path: Path) -> None:
    text = SITE.replace("18.0.21}", "18.0.21, dss_mapping_ip: 203.0.113.10}")
    text = text.replace("18.0.22}", "18.0.22, dss_mapping_ip: 203.0.113.10}")
    found = mistakes(tmp_path, text)
    assert {m.key for m in found} == {"sub-2.dss_mapping_ip"}
    assert len(found) == 8
    assert any("203.0.113.10:443/tcp" in m.message for m in found)


def chain(*parents: str) -> str:
    lines = [
        f"    level-{n}: {{ansible_host: 203.0.113.{n}, dss_parent: {p}}}" for n, p in enumerate(parents, 2)
    ]
    return group("cascade:\n  hosts:\n" + "\n".join(lines))


def test_three_levels_are_enough(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(chain("main-a", "level-2"))
    site = topology.load(tmp_path, catalog=KNOWN)
    assert [site.level(site.hosts[n]) for n in ("main-a", "level-2", "level-3")] == [1, 2, 3]
    mistake = one(tmp_path, chain("main-a", "level-2", "level-3"))
    assert (mistake.file, mistake.key) == ("hosts.yml:16", "level-4.dss_parent")
    assert "level 4 (main-a -> level-2 -> level-3 -> level-4)" in mistake.message


def test_parents_in_a_circle_are_found(tmp_path: Path) -> None:
    found = mistakes(tmp_path, chain("level-3", "level-2"))
    assert {m.key for m in found} == {"level-2.dss_parent", "level-3.dss_parent"}
    assert "level-2 -> level-3 -> level-2" in found[0].message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = sub_1("dss_mapping: 1, dss_enabled: maybe").replace("198.18.0.22", "198.18.0.10")
    assert [m.key for m in mistakes(tmp_path, text)] == ["dss_enabled", "dss_mapping", "sub-2.ansible_host"]


def test_an_inventory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryErrors) as caught:
        topology.load(tmp_path / "nowhere", catalog=KNOWN)
    assert [m.key for m in caught.value.errors] == ["(inventory)"]
    assert "no inventory here" in str(caught.value)


def test_a_variable_file_of_nobody_is_found(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/sbu.yml").write_text("dss_enabled: true\n")
    assert "no group of this name" in one(tmp_path, SITE).message


def test_an_agreement_that_is_not_accepted_is_no_mistake_of_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(SITE)
    assert topology.load(tmp_path, catalog=KNOWN).main.get("dss_accept_agreement") is False
