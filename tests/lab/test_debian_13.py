"""A site on Debian 13 hosts is what one on Debian 12 is: deployed, repeatable, locked in, with a picture."""

import json
from collections.abc import Iterator

import pytest

from lab import scenario
from lab.admin import until
from lab.fixtures import INVENTORY, PASSWORD, ROOT, alone, settle
from lab.site import MAIN, SUB, Site
from lab.tools import run

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]
LISTEN = "127.0.0.1:18413"
OWN, ENGINE = 2.0, 4.5


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What makes a playbook take the bundle for Debian 13, which lies outside dist."""
    out = tmp_path_factory.mktemp("bundle")
    run(ROOT / "dss", "bundle", "--release", "13", "--out", out)
    return ("-e", f"dss_bundle={out / 'latest'}")


@pytest.fixture(scope="module")
def newer(options: tuple[str, ...]) -> Iterator[Site]:
    """inventories/demo on Debian 13 hosts, in a lab of its own."""
    with alone("debian13") as lab:
        lab.up(INVENTORY, 13)
        site = Site(lab, INVENTORY, LISTEN)
        settle(site, *options)
        yield site


def states(site: Site, host: str) -> dict[str, str]:
    """Units of the built services of a host, each with its state."""
    return {unit["name"]: unit["state"] for unit in json.loads(site.on(host, "dss", "status", "--json"))}


def everything_runs(site: Site, host: str) -> bool:
    """Whether every unit of a host is Running."""
    return set(states(site, host).values()) == {"Running"}


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_hosts_are_debian_13_with_its_own_python(newer: Site, host: str) -> None:
    assert "VERSION_CODENAME=trixie" in newer.on(host, "cat", "/etc/os-release")
    assert "Python 3.13" in newer.on(host, "/opt/dss/current/venv/bin/python", "--version")


def test_a_second_run_changes_nothing(newer: Site, options: tuple[str, ...]) -> None:
    again = newer.play(*options)
    assert again.code == 0, again.output[-4000:]
    assert set(again.changed.values()) == {0}, again.output[-4000:]


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_every_unit_runs_and_stays_below_its_exposure_limit(newer: Site, host: str) -> None:
    units = states(newer, host)
    assert everything_runs(newer, host), units
    listed = json.loads(newer.on(host, "systemd-analyze", "security", "--json=short", "--no-pager"))
    found = {row["unit"]: float(row["exposure"]) for row in listed if row["unit"] in units}
    assert set(found) == {unit for unit in units if unit.endswith(".service")}
    limits = {unit: OWN if unit.startswith("dss-") else ENGINE for unit in found}
    assert {unit: value for unit, value in found.items() if value > limits[unit]} == {}


def test_both_cameras_are_seen_without_loss(newer: Site) -> None:
    admin = newer.admin()
    admin.login(scenario.USER, PASSWORD)
    devices = scenario.add_cameras(admin)
    assert {device["node"] for device in devices} == {MAIN, SUB}
    for device in devices:
        seen = scenario.look(admin, device, 10)
        assert seen.frames >= 100
        assert seen.lost <= seen.frames / 100


def test_everything_returns_by_itself_after_a_power_cut(newer: Site) -> None:
    for host in (SUB, MAIN):
        newer.lab.poweroff(host)
    for host in (MAIN, SUB):
        newer.lab.boot(host)
    for host in (MAIN, SUB):
        until(
            90, f"all units of {host} running", lambda at=host: set(states(newer, at).values()) == {"Running"}
        )
    admin = newer.admin()
    admin.login(scenario.USER, PASSWORD)
    for device in scenario.add_cameras(admin):
        assert scenario.look(admin, device, 5).frames > 0
