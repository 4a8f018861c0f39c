"""What a router is told: byte by byte as agreed, and as real or independent parsers understand it."""

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ciscoconfparse2 import CiscoConfParse

from services import topology
from services.catalog import Catalog
from services.router import cisco, nftables, opnsense
from services.router.cli import RouterError
from services.router.mapping import Dmz, rules, tag
from services.router.report import listing
from services.router.vendors import VENDORS
from services.topology import Topology

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden_router"
INVENTORIES = {"lan_wan": ROOT / "inventories/lan_wan", "harbour": ROOT / "tests/lab/router"}
BACKUP = """<?xml version="1.0"?>
<opnsense>
  <system><hostname>edge</hostname></system>
  <nat>
    <outbound><mode>automatic</mode></outbound>
    <rule><interface>wan</interface><descr>Web server</descr><target>192.168.1.9</target></rule>
  </nat>
</opnsense>
"""


def dmz_of(inventory: str, vendor: str, catalog: Catalog) -> Dmz:
    site = topology.load(INVENTORIES[inventory], catalog=catalog)
    router = site.of("router")[0]
    names = {} if vendor == "nftables" else {"dss_wan_interface": None}
    return rules(catalog, site, replace(router, vars={**router.vars, **names, "dss_router": vendor}))


def rows(dmz: Dmz) -> set[tuple[str, str, int, str, int]]:
    """(protocol, outside address, port, inside address, port) of everything mapped."""
    return {(m.proto, m.wan, m.port, m.lan, m.port) for m in dmz.mappings}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("inventory", INVENTORIES)
def test_the_files_of_every_vendor_are_the_agreed_ones(
    inventory: str, vendor: str, catalog: Catalog, request: pytest.FixtureRequest
) -> None:
    dmz = dmz_of(inventory, vendor, catalog)
    files = VENDORS[vendor].files(dmz) | VENDORS[vendor].removal(dmz) | {"reachable.txt": listing(dmz)}
    folder = GOLDEN / inventory / vendor
    if request.config.getoption("--update-golden", default=False):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    assert {p.name: p.read_text() for p in folder.iterdir()} == files


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_object_names_the_site_and_every_port_is_the_same_outside_and_inside(
    vendor: str, catalog: Catalog
) -> None:
    dmz = dmz_of("lan_wan", vendor, catalog)
    (text, *_) = VENDORS[vendor].files(dmz).values()
    for m in dmz.mappings:
        assert str(m.port) in text
        assert f"{dmz.tag}/{m.node}/{m.key}" in text or f"{dmz.tag} {m.proto} {m.lan} {m.port}" in text


def test_nft_accepts_the_table(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "dmz.nft").write_text(nftables.rules(dmz_of("lan_wan", "nftables", catalog)))
    words = ["unshare", "--net", "nft", "-c", "-f", str(tmp_path / "dmz.nft")]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_mark_of_the_rules_follows_their_text(catalog: Catalog) -> None:
    dmz = dmz_of("lan_wan", "nftables", catalog)
    assert f'comment "{nftables.mark(dmz)}"' in nftables.rules(dmz)
    assert nftables.mark(replace(dmz, mappings=dmz.mappings[1:])) != nftables.mark(dmz)


@pytest.mark.parametrize("name", ["dmz-remove.sh", "dmz-openwrt.sh", "dmz-openwrt-remove.sh"])
def test_the_shell_accepts_the_scripts(name: str, catalog: Catalog) -> None:
    for vendor in ("nftables", "openwrt"):
        dmz = dmz_of("lan_wan", vendor, catalog)
        files = VENDORS[vendor].files(dmz) | VENDORS[vendor].removal(dmz)
        if name in files:
            subprocess.run(["dash", "-n"], input=files[name], text=True, check=True)


def test_systemd_accepts_the_unit(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / nftables.UNIT).write_text(
        nftables.files(dmz_of("lan_wan", "nftables", catalog))[nftables.UNIT]
    )
    words = ["systemd-analyze", "verify", "--man=no", str(tmp_path / nftables.UNIT)]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stderr
    assert nftables.UNIT not in said, said


def test_an_independent_parser_reads_the_same_mappings_from_the_cisco_commands(catalog: Catalog) -> None:
    dmz = dmz_of("lan_wan", "cisco", catalog)
    parsed = CiscoConfParse(cisco.files(dmz)[cisco.SCRIPT].splitlines(), syntax="ios")
    found = set()
    for line in parsed.find_objects(r"^ip nat inside source static"):
        proto, lan, inside, wan, outside = line.text.split()[5:10]
        found.add((proto, wan, int(outside), lan, int(inside)))
    assert found == rows(dmz)
    (acl,) = parsed.find_objects(rf"^ip access-list extended {cisco.acl(dmz.tag)}$")
    assert len([c for c in acl.children if c.text.startswith(" permit")]) == len(dmz.mappings)


def test_the_removal_of_cisco_takes_exactly_what_was_added(catalog: Catalog) -> None:
    dmz = dmz_of("lan_wan", "cisco", catalog)
    added = [ln for ln in cisco.files(dmz)[cisco.SCRIPT].splitlines() if ln.startswith("ip nat")]
    removed = [ln for ln in cisco.removal(dmz)[cisco.REMOVAL].splitlines() if ln.startswith("no ip nat")]
    assert [f"no {line}" for line in added] == removed


@pytest.mark.parametrize("vendor", opnsense.ROOTS)
def test_the_merged_configuration_holds_ours_once_and_all_of_the_others(
    vendor: str, catalog: Catalog
) -> None:
    dmz = dmz_of("lan_wan", vendor, catalog)
    backup = BACKUP.replace("opnsense", vendor)
    once = opnsense.merge(dmz, backup.encode())
    assert opnsense.merge(dmz, once.encode()) == once
    tree = ET.fromstring(once)  # noqa: S314 - written by us
    found = {
        (
            rule.findtext("protocol", ""),
            rule.findtext("destination/address", ""),
            int(rule.findtext("destination/port", "0")),
            rule.findtext("target", ""),
            int(rule.findtext("local-port", "0")),
        )
        for rule in tree.iterfind("nat/rule")
        if (rule.findtext("descr") or "").startswith(f"{dmz.tag}/")
    }
    assert found == rows(dmz)
    assert [r.findtext("target") for r in tree.iterfind("nat/rule") if r.findtext("descr") == "Web server"]
    assert tree.findtext("nat/outbound/mode") == "automatic"
    assert tree.findtext("system/hostname") == "edge"


def test_removing_from_a_configuration_gives_the_one_before(catalog: Catalog) -> None:
    dmz = dmz_of("lan_wan", "opnsense", catalog)
    plain = opnsense.merge(dmz, BACKUP.encode(), remove=True)
    with_ours = opnsense.merge(dmz, BACKUP.encode())
    assert opnsense.merge(dmz, with_ours.encode(), remove=True) == plain


@pytest.mark.parametrize(
    "backup", ["", "<opnsense>", "<pfsense/>", '<!DOCTYPE x [<!ENTITY a "b">]><opnsense>&a;</opnsense>']
)
def test_what_is_no_backup_of_this_router_is_refused(backup: str, catalog: Catalog) -> None:
    with pytest.raises(RouterError, match="Download one"):
        opnsense.merge(dmz_of("lan_wan", "opnsense", catalog), backup.encode())


def test_the_list_names_every_reachable_port_and_the_planned_ones_apart(catalog: Catalog) -> None:
    dmz = dmz_of("lan_wan", "nftables", catalog)
    mapped, _, planned = listing(dmz).partition("planned and not built yet")
    for m in dmz.mappings:
        assert re.search(rf"^  {re.escape(m.row)} ", mapped, re.MULTILINE)
    for m in dmz.planned:
        assert m.row not in mapped
        assert m.row in planned
    assert "WARNING" in listing(dmz)


def test_only_services_that_run_are_mapped_and_only_for_the_scopes_asked_for(
    catalog: Catalog, site: Callable[[str], Topology]
) -> None:
    whole = site("lan_wan")
    edge = whole.hosts["edge"]
    for scopes in ([], ["clients"], ["devices"]):
        dmz = rules(catalog, whole, replace(edge, vars={**edge.vars, "dss_dmz": scopes}))
        assert all(set(m.scopes) & set(scopes) for m in (*dmz.mappings, *dmz.planned))
        assert all(catalog.services[m.key.split(".")[0]].built for m in dmz.mappings)
        assert bool(dmz.mappings or dmz.planned) == bool(scopes)


def test_sites_whose_names_lose_letters_do_not_share_a_tag() -> None:
    names = ["City Hall", "Größe", "Gr e", "東京", "a" * 60, "a" * 61]
    tags = [tag(name) for name in names]
    assert len(set(tags)) == len(tags)
    for one in tags:
        assert re.fullmatch(r"dss:[a-z0-9][a-z0-9-]{0,31}", one)
