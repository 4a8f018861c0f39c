"""The port matrix, and the verbs that print and write what is rendered."""

import csv
import io
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from services import ports
from services.catalog import Catalog
from services.cli.__main__ import main
from services.render import File
from services.topology import Topology

ROOT = Path(__file__).resolve().parents[2]
LAN_WAN = str(ROOT / "inventories/lan_wan")
COLUMNS = (
    *("host", "role", "service", "name", "port", "protocol", "direction"),
    *("from", "to", "purpose", "tls", "zone", "must_map", "status"),
)
Site = Callable[[str], Topology]


def test_every_row_has_every_column_of_the_contract(catalog: Catalog, site: Site) -> None:
    rows = json.loads(ports.as_json(ports.matrix(catalog, site("cascade"))))
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert {row["host"] for row in rows} == set(site("cascade").hosts)


def test_what_must_be_mapped_is_what_the_firewall_opens_to_everyone(
    inventory: str, catalog: Catalog, site: Site, rendered: Callable[[str, str], dict[str, File]]
) -> None:
    for host in site(inventory).nodes:
        rows = ports.matrix(catalog, site(inventory), host)
        lines = rendered(inventory, host.name)["/etc/dss/firewall.nft"].text.splitlines()
        opened = {tuple(line.split()[0:3:2]) for line in lines if line.split()[1:2] == ["dport"]}
        mapped = {(r.protocol, str(r.port)) for r in rows if r.must_map and r.status == "built"}
        assert opened == mapped


def test_own_numbers_of_a_host_stand_in_its_rows_and_its_services(
    catalog: Catalog, site: Site, rendered: Callable[[str, str], dict[str, File]]
) -> None:
    rows = {
        f"{r.service}.{r.name}": r.port
        for r in ports.matrix(catalog, site("lan_wan"), site("lan_wan").hosts["sub-2"])
    }
    assert (rows["nginx.https"], rows["mts.rtsp"]) == (10443, 19100)
    files = rendered("lan_wan", "sub-2")
    assert json.loads(files["/etc/dss/services/mts.json"].text)["ports"] == {
        "rtsp": 19100,
        "http": 9101,
        "rtsps": 19102,
        "webrtc": 19103,
    }
    assert "listen 0.0.0.0:10443 ssl" in files["/etc/dss/engines/nginx.conf"].text
    assert "https://$host:10443$request_uri" in files["/etc/dss/engines/nginx.conf"].text


def test_a_sub_says_where_it_connects_to_with_the_numbers_of_its_centre(catalog: Catalog, site: Site) -> None:
    rows = ports.matrix(catalog, site("distributed"), site("distributed").hosts["sub-1"])
    outward = {(r.name, r.to, r.port) for r in rows if r.direction == "out" and "main" in r.to}
    assert outward == {
        ("leaf-link", "main-a (198.18.0.10)", 7422),
        ("assignment", "main-a (198.18.0.10)", 443),
    }


def test_all_forms_of_the_matrix_have_the_same_rows(catalog: Catalog, site: Site) -> None:
    rows = ports.matrix(catalog, site("standalone"))
    assert len(list(csv.DictReader(io.StringIO(ports.as_csv(rows))))) == len(rows)
    assert len(ports.as_markdown(rows).splitlines()) == len(rows) + 2
    assert ports.as_html(rows).count("<tr class=") == len(rows)


def test_the_verb_services_lists_all_25(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["services", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 25
    assert {"id", "code", "label", "status", "role", "ports"} <= set(listed[0])
    assert main(["services"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 26


def test_the_verb_ports_prints_one_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ports", "-i", LAN_WAN, "--host", "sub-1", "--format", "json"]) == 0
    assert {row["host"] for row in json.loads(capsys.readouterr().out)} == {"sub-1"}
    assert main(["ports", "-i", LAN_WAN, "--host", "sub-9"]) == 1
    assert "It has: main-a, sub-1, sub-2, edge" in capsys.readouterr().err


def test_a_verb_tells_every_mistake_of_an_inventory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hosts.yml").write_text("all: {vars: {dss_sit: A}, children: {sub: {hosts: {s: }}}}")
    assert main(["ports", "-i", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "has 3 mistake(s)" in told
    assert "hosts.yml:1: dss_sit: There is no such key. Did you mean dss_site?" in told


def test_the_verb_render_writes_a_tree_and_never_into_an_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["render", "-i", LAN_WAN, "--all", "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["main-a", "sub-1", "sub-2"]
    assert stat.S_IMODE((out / "main-a/etc/dss/engines/redis.conf").stat().st_mode) == 0o640
    assert main(["render", "-i", LAN_WAN, "--host", "sub-1", "--out", str(out)]) == 1
    assert "not an empty folder" in capsys.readouterr().err
    assert main(["render", "-i", LAN_WAN, "--host", "edge", "--out", str(tmp_path / "edge")]) == 1
    assert "runs no service" in capsys.readouterr().err
