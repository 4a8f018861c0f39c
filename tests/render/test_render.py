"""Rules that hold for all rendered text, whatever it says."""

import builtins
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services import facts, topology
from services.catalog import Catalog
from services.render import File, render, render_all, render_facts
from services.topology import Host, Topology

ROOT = Path(__file__).resolve().parents[2]
Render = Callable[[str, str], dict[str, File]]


def site_of(tmp_path: Path, text: str, catalog: Catalog) -> Topology:
    (tmp_path / "hosts.yml").write_text(text)
    return topology.load(tmp_path, catalog=catalog)


TWO = """
all:
  children:
    main: {hosts: {main-a: {ansible_host: 198.18.0.10}}}
    sub: {hosts: {sub-1: {ansible_host: 198.18.0.21}}}
"""


def test_a_further_sub_changes_nothing_on_main(tmp_path: Path, catalog: Catalog) -> None:
    one = render(catalog, site_of(tmp_path, TWO, catalog), "main-a")
    three = TWO.replace(
        "sub-1: {ansible_host: 198.18.0.21}",
        "sub-1: {ansible_host: 198.18.0.21}, sub-2: {ansible_host: 198.18.0.22}",
    )
    assert render(catalog, site_of(tmp_path, three, catalog), "main-a") == one


def test_a_backup_key_brings_the_timer_and_its_settings_to_every_node(
    tmp_path: Path, catalog: Catalog
) -> None:
    key = "x25519:N3sGzr7nQhjDBHCjXGkzIzJ5l9a0wU0uQkHyyc3Bv2Q="
    told = f"  vars: {{dss_backup_key: '{key}', dss_backup_time: '03:45', dss_backup_keep: 9}}\n"
    site = site_of(tmp_path, TWO + told, catalog)
    for host in ("main-a", "sub-1"):
        files = render(catalog, site, host)
        assert json.loads(files["/etc/dss/backup.json"].text)["key"] == key
        assert json.loads(files["/etc/dss/backup.json"].text)["keep"] == 9
        assert "OnCalendar=*-*-* 03:45:00" in files["/etc/systemd/system/dss-backup.timer"].text
        assert "dss-backup.timer" in files["/etc/systemd/system/dss.target"].text


def test_every_variable_that_a_renderer_reads_is_among_the_facts() -> None:
    sources = [*(ROOT / "services").glob("render*.py"), ROOT / "services" / "ports.py"]
    read = {name for path in sources for name in re.findall(r'\bget\("(\w+)"\)', path.read_text())}
    assert "dss_backup_key" in read
    assert read - {"dss_tls10"} <= set(facts.RENDERED)


def test_every_variable_that_a_manifest_or_template_reads_is_among_the_facts(
    site: Callable[[str], Topology], catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, original = set[str](), Host.get

    def watched(host: Host, key: str) -> object:
        read.add(key)
        return original(host, key)

    monkeypatch.setattr(Host, "get", watched)
    for node in site("distributed").nodes:
        render_facts(catalog, facts.of("Site", node, catalog), {})
    assert {"dss_lan_networks", "dss_recording_paths"} <= read
    assert read - {"dss_tls10", facts.PORTAL_CERTIFICATE} <= set(facts.RENDERED)


def test_recordings_go_where_the_inventory_says(tmp_path: Path, catalog: Catalog) -> None:
    told = "  vars: {dss_recording_paths: [/mnt/one/recordings], dss_recording_days: 30}\n"
    files = render(catalog, site_of(tmp_path, TWO + told, catalog), "sub-1")
    settings = json.loads(files["/etc/dss/services/ss.json"].text)["settings"]
    assert (settings["folders"], settings["days"]) == (["/mnt/one/recordings"], 30)
    assert "d /mnt/one/recordings 0750 dss dss\n" in files["/etc/tmpfiles.d/dss.conf"].text
    assert "ReadWritePaths=-/mnt/one/recordings\n" in files["/etc/systemd/system/dss-ss.service"].text


def test_a_changed_port_reaches_all_that_use_it_and_restarts_only_them(
    tmp_path: Path, catalog: Catalog
) -> None:
    site = site_of(tmp_path, TWO, catalog)
    moved = TWO.replace(
        "{ansible_host: 198.18.0.21}", "{ansible_host: 198.18.0.21, dss_ports: {mts.rtsp: 19100}}"
    )
    before, after = (
        render(catalog, site, "sub-1"),
        render(catalog, site_of(tmp_path, moved, catalog), "sub-1"),
    )
    changed = {path for path in after if after[path] != before[path]}
    facts, rest = "/etc/dss/host.json", {"/etc/dss/services/mts.json", "/etc/dss/firewall.nft"}
    assert changed == {*rest, "/etc/dss/ports.json", facts}
    assert json.loads(after["/etc/dss/services/mts.json"].text)["ports"]["rtsp"] == 19100
    assert {u for path in changed for u in after[path].affects} == {
        "dss-mts.service",
        "dss-firewall.service",
    }


def test_another_database_port_restarts_database_and_portal(tmp_path: Path, catalog: Catalog) -> None:
    moved = TWO.replace(
        "{ansible_host: 198.18.0.10}", "{ansible_host: 198.18.0.10, dss_ports: {mysql.mysql: 13306}}"
    )
    before = render(catalog, site_of(tmp_path, TWO, catalog), "main-a")
    after = render(catalog, site_of(tmp_path, moved, catalog), "main-a")
    affected = {u for path in after if after[path] != before[path] for u in after[path].affects}
    assert affected == {"mariadb.service", "dss-smc.service", "dss-portal.service"}
    assert json.loads(after["/etc/dss/services/smc.json"].text)["settings"]["database"]["port"] == 13306


def test_planned_services_leave_no_trace_but_in_the_lists(rendered: Render, catalog: Catalog) -> None:
    files = rendered("distributed", "main-a")
    planned = [m for m in catalog.services.values() if not m.built]
    assert len(planned) == 15
    for service in planned:
        assert f"/etc/dss/services/{service.id}.json" not in files
        assert not [
            path
            for path, f in files.items()
            if any(u.name in f.text for u in service.units) and "catalog" not in path
        ]
        for port in service.ports_on("main"):
            assert f"dport {port.port} " not in files["/etc/dss/firewall.nft"].text
    listed = {entry["id"]: entry["status"] for entry in json.loads(files["/etc/dss/catalog.json"].text)}
    assert len(listed) == 25
    assert {s for s, status in listed.items() if status == "planned"} == {m.id for m in planned}


def test_rendering_reads_no_file_once_the_templates_are_known(
    catalog: Catalog, site: Callable[[str], Topology], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = site("cascade")
    first = render_all(catalog, whole)

    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(io, "open", refuse)
    assert render_all(catalog, whole) == first


def test_names_of_the_site_cannot_break_out_of_the_page_of_a_sub(tmp_path: Path, catalog: Catalog) -> None:
    site = site_of(tmp_path, TWO.replace("all:", "all:\n  vars: {dss_site: '<script>x</script>'}"), catalog)
    page = render(catalog, site, "sub-1")["/etc/dss/engines/page/index.html"].text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_allow_list_and_the_gateway_stand_before_every_opening(tmp_path: Path, catalog: Catalog) -> None:
    more = (
        "ansible_host: 198.18.0.21, dss_gateway: 198.18.0.1, dss_gateway_mac: '02:00:5e:10:00:01', "
        "dss_allow: [198.18.0.0/28, '198.18.0.77 02:00:5e:10:00:77']"
    )
    site = site_of(tmp_path, TWO.replace("ansible_host: 198.18.0.21", more), catalog)
    lines = [
        line.strip() for line in render(catalog, site, "sub-1")["/etc/dss/firewall.nft"].text.splitlines()
    ]
    gateway = lines.index("ip saddr 198.18.0.1 ether saddr != 02:00:5e:10:00:01 drop")
    assert gateway < lines.index("ip saddr 198.18.0.0/28 jump open")
    assert "ip saddr 198.18.0.77 ether saddr 02:00:5e:10:00:77 jump open" in lines
    assert "ip saddr 198.18.0.10 jump open" in lines
    assert "jump open" not in lines


def test_a_host_without_services_gets_nothing(rendered: Render) -> None:
    assert rendered("demo", "cam-1") == {}
    assert rendered("lan_wan", "edge") == {}


def test_a_change_at_run_time_gives_the_same_files_as_the_inventory(tmp_path: Path, catalog: Catalog) -> None:
    facts = ("/etc/dss/host.json", "/etc/dss/overrides.json")
    own = {"ports": {"mts.rtsp": 19100}, "mapping_ip": "203.0.113.21"}
    told = "dss_ports: {mts.rtsp: 19100}, dss_mapping_ip: 203.0.113.21"
    center = {"center": {"ports": {"nginx.https": 10443}}}
    moved = TWO.replace("198.18.0.21}", f"198.18.0.21, {told}}}").replace(
        "198.18.0.10}", "198.18.0.10, dss_ports: {nginx.https: 10443}}"
    )
    by_inventory = render(catalog, site_of(tmp_path, moved, catalog), "sub-1")
    by_portal = render(catalog, site_of(tmp_path, TWO, catalog), "sub-1", own | center)
    assert {p: f for p, f in by_portal.items() if p not in facts} == {
        p: f for p, f in by_inventory.items() if p not in facts
    }
    again = render(catalog, site_of(tmp_path, moved, catalog), "sub-1", own | center)
    assert again == by_inventory, "what the inventory says by now is no override any more"


def test_backups_are_made_where_the_inventory_has_a_key_and_stay_over_a_change_at_run_time(
    tmp_path: Path, catalog: Catalog
) -> None:
    more = f"ansible_host: 198.18.0.21, dss_backup_key: 'x25519:{'A' * 43}=', dss_backup_keep: 3"
    made = render(
        catalog, site_of(tmp_path, TWO.replace("ansible_host: 198.18.0.21", more), catalog), "sub-1"
    )
    assert json.loads(made["/etc/dss/backup.json"].text)["keep"] == 3
    assert "dss-backup.service" in made["/etc/polkit-1/rules.d/50-dss.rules"].text
    changed = render_facts(
        catalog, json.loads(made["/etc/dss/host.json"].text), {"mapping_ip": "203.0.113.21"}
    )
    for name in ("dss-backup.timer", "dss-backup.service"):
        assert made[f"/etc/systemd/system/{name}"] == changed[f"/etc/systemd/system/{name}"]
    plain = render(catalog, site_of(tmp_path, TWO, catalog), "sub-1")
    assert "dss-backup" not in plain["/etc/polkit-1/rules.d/50-dss.rules"].text


def test_facts_of_a_node_are_enough_to_render_it(
    inventory: str, catalog: Catalog, site: Callable[[str], Topology]
) -> None:
    for one in render_all(catalog, site(inventory)):
        facts = json.loads(one.files["/etc/dss/host.json"].text)
        assert render_facts(catalog, facts, {}) == one.files
