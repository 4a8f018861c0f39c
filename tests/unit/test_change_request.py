"""What a change at run time may ask for, and what it is told when it may not."""

from pathlib import Path
from typing import Any

import pytest

from services import catalog as catalog_module
from services import facts as facts_module
from services import topology
from services.catalog import Catalog
from services.node.change_request import Local, plan
from services.runtime.errors import Problem

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalog_module.load()


def facts(catalog: Catalog, host: str = "sub-1") -> dict[str, Any]:
    site = topology.load(ROOT / "inventories" / "distributed", {}, catalog)
    return facts_module.of(site.site, site.hosts[host], catalog)


def local(occupied: dict[int, str] | None = None) -> Local:
    return Local(lambda port, _: (occupied or {}).get(port, ""), {"198.18.0.21", "10.0.0.21"})


def test_several_ports_are_planned_in_one_change(catalog: Catalog) -> None:
    asked = {"ports": {"mts.rtsp": 9102, "mts.rtsps": 9100}}
    after = plan(catalog, facts(catalog), {}, asked, local())
    assert after == asked, "two services may exchange their numbers"


def test_going_back_to_the_inventory_leaves_no_override(catalog: Catalog) -> None:
    before = {"ports": {"mts.rtsp": 19100}, "mapping_ip": "203.0.113.21"}
    after = plan(catalog, facts(catalog), before, {"ports": {"mts.rtsp": 9100}}, local())
    assert after == {"mapping_ip": "203.0.113.21"}


def test_a_node_with_several_networks_keeps_its_addresses(catalog: Catalog) -> None:
    separate = Local(lambda *_: "", {"198.18.0.21", "10.0.0.21"}, separate=True)
    with pytest.raises(Problem, match="dss_addresses") as refused:
        plan(catalog, facts(catalog), {}, {"address": "10.0.0.21"}, separate)
    assert refused.value.code == "address-by-network"


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"ports": {"mts.rtsp": 9102}}, "port-clash", "DSS_MTS (rtsps)"),
    ({"ports": {"mts.rtsp": 22}}, "port-privileged", "below 1024"),
    ({"ports": {"mts.rtsp": 443}}, "port-privileged", "below 1024"),
    ({"ports": {"mts.rtsp": 8443}}, "port-clash", "DSS_NGINX (tls10)"),
    ({"ports": {"mts.rtsp": 7777}}, "port-occupied", "squatter (squatter.service)"),
    ({"ports": {"mts.rtsp": True}}, "port-number", "no port number"),
    ({"ports": {"mts.rtsp": 70000}}, "port-number", "no port number"),
    ({"ports": {"mysql.mysql": 13306}}, "port-unknown", "mysql.mysql"),
    ({"ports": {"pes.http": 13306}}, "port-unknown", "pes.http"),
    ({"ports": {}}, "port-unclear", "No port"),
    ({"ports": {"mts.rtsp": 9100}}, "change-nothing", "already"),
    ({"mapping_ip": "203.0.113.999"}, "address-wrong", "203.0.113.999"),
    ({"mapping_ip": "127.0.0.1"}, "address-wrong", "127.0.0.1"),
    ({"mapping_ip": "10.0.0.21"}, "mapping-own", "of this node itself"),
    ({"address": "198.18.0.99"}, "address-foreign", "no network interface"),
    ({"tls10": "yes"}, "tls10-unclear", "yes"),
    ({"center": {"address": "198.18.0.10", "ports": {}}}, "center-unclear", "numbers"),
    ({"center": {"address": "x", "ports": {"nginx.https": 1, "mq.leaf": 2}}}, "address-wrong", "x"),
    ({"ports": {"mts.rtsp": 1}, "tls10": True}, "change-unclear", "exactly one"),
    ({"ports": {"mts.rtsp": 19100}, "shell": "rm"}, "change-unclear", "exactly one"),
    ({}, "change-unclear", "exactly one"),
]


@pytest.mark.parametrize(("asked", "code", "why"), WRONG)
def test_what_cannot_be_is_refused_with_its_reason(
    catalog: Catalog, asked: dict[str, Any], code: str, why: str
) -> None:
    with pytest.raises(Problem) as refusal:
        plan(catalog, facts(catalog), {}, asked, local({7777: "squatter (squatter.service)"}))
    assert refusal.value.code == code
    assert why in refusal.value.why
    assert refusal.value.remedy


def test_a_planned_service_keeps_its_number_and_ssh_too(catalog: Catalog) -> None:
    planned = next(
        (m, p)
        for m in catalog.services.values()
        if not m.built
        for p in m.ports_on("sub")
        if p.proto == "tcp"
    )
    with pytest.raises(Problem) as refusal:
        plan(catalog, facts(catalog), {}, {"ports": {"mts.rtsp": planned[1].port}}, local())
    assert f"{planned[0].code} ({planned[1].name}, planned)" in refusal.value.why
    moved = facts(catalog)
    moved["vars"]["ansible_port"] = 2222
    with pytest.raises(Problem) as refusal:
        plan(catalog, moved, {}, {"ports": {"mts.rtsp": 2222}}, local())
    assert "the SSH server" in refusal.value.why


def test_main_has_no_centre_to_follow(catalog: Catalog) -> None:
    asked = {"center": {"address": "198.18.0.10", "ports": {"nginx.https": 1, "mq.leaf": 2}}}
    with pytest.raises(Problem) as refusal:
        plan(catalog, facts(catalog, "main-a"), {}, asked, local())
    assert refusal.value.code == "center-none"


def test_switching_tls10_on_needs_its_port_to_be_free(catalog: Catalog) -> None:
    with pytest.raises(Problem) as refusal:
        plan(catalog, facts(catalog), {}, {"tls10": True}, local({8443: "apache2 (apache2.service)"}))
    assert "apache2.service" in refusal.value.why
    assert plan(catalog, facts(catalog), {}, {"tls10": True}, local()) == {"tls10": True}
