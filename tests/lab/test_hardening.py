"""Every unit of a node is locked in, judged by systemd itself on the running host."""

import json

import pytest

from lab.site import MAIN, SUB, Site

OWN, ENGINE = 2.0, 4.5


def exposure(site: Site, host: str) -> dict[str, float]:
    """`systemd-analyze security` of every unit that runs a built service."""
    catalog = json.loads(site.on(host, "cat", "/etc/dss/catalog.json"))
    role = "main" if host == MAIN else "sub"
    units = [
        unit if isinstance(unit, str) else unit["name"]
        for row in catalog
        if row["status"] == "built" and role in row["role"]
        for unit in row["units"]
    ]
    running = [
        u
        for u in units
        if site.on(host, "systemctl", "show", "--value", "--property=LoadState", u).strip() == "loaded"
    ]
    program = ["systemd-analyze", "security", "--json=short", "--no-pager"]
    listed = json.loads(site.on(host, *program))
    return {row["unit"]: float(row["exposure"]) for row in listed if row["unit"] in running}


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_every_unit_stays_below_its_exposure_limit(site: Site, host: str) -> None:
    found = exposure(site, host)
    assert {"dss-smc.service", "dss-dms.service", "dss-mts.service", "nginx.service"} <= set(found)
    limits = {unit: OWN if unit.startswith("dss-") else ENGINE for unit in found}
    assert {unit: value for unit, value in found.items() if value > limits[unit]} == {}
