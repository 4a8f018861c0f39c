"""Devices on the other side of a router come in by the register port alone, or are called."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import scenario
from lab.admin import Admin, RefusedError, until
from lab.edge import EDGE, WAN_MAIN, WAN_SUB, Edge, equip
from lab.fixtures import PASSWORD, alone, deploy
from lab.site import MAIN

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INVENTORY, DEVICE, NAME = HERE / "register", "cam-9", os.environ.get("DSS_TESTS_LAB", "register")
LISTEN = os.environ.get("DSS_TESTS_LISTEN", "127.0.0.1:18451")
WAN_DEVICE, REGISTER = "203.0.113.60", [9500]
OFFLINE_SECONDS = 100


@pytest.fixture(scope="module")
def edge(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Edge]:
    """Main, a sub and a router that maps for devices alone; a device outside that dials in from the start."""
    with alone(NAME, request.config.getoption("--keep-lab")) as lab:
        lab.up(INVENTORY)
        made = Edge(lab, INVENTORY, LISTEN)
        equip(made, bundle)
        masquerade(made)
        deploy(made)
        yield made


def masquerade(edge: Edge) -> None:
    """What the router's owner has: nodes may go out, by the router's own address."""
    edge.on(EDGE, "nft", "add", "table", "ip", "owner")
    edge.on(EDGE, "nft", "add chain ip owner out { type nat hook postrouting priority srcnat ; }")
    edge.on(EDGE, "nft", "add rule ip owner out oifname wan0 ip saddr 198.18.0.0/24 masquerade")


@pytest.fixture
def admin(edge: Edge) -> Admin:
    """An administrator, logged in; the sub is enabled."""
    entered = edge.admin()
    entered.login(scenario.USER, PASSWORD)
    scenario.enable_subs(entered)
    return entered


def device(admin: Admin, name: str) -> dict[str, Any]:
    """A device by name; nothing while it is not there."""
    return next((one for one in admin.get("/devices") if one["name"] == name), {})


def comes(admin: Admin, name: str, state: str, seconds: float = 60) -> float:
    """Seconds until a device has that state."""
    began = time.monotonic()
    until(seconds, f"{name} is {state}", lambda: device(admin, name).get("state") == state)
    return time.monotonic() - began


def test_a_device_that_nobody_added_asks_and_is_shown_with_its_own_address(admin: Admin) -> None:
    (row,) = until(60, "the device asks", lambda: admin.get("/registrations"))
    assert (row["node"], row["register_id"], row["address"]) == (MAIN, "GATE-7", WAN_DEVICE)
    assert device(admin, "Gate") == {}


def test_an_added_device_comes_on_line_through_the_register_port_and_says_what_it_is(admin: Admin) -> None:
    admin.post(
        "/devices", kind="register", name="Gate", node=MAIN, register_id="GATE-7", **scenario.CAMERA_LOGIN
    )
    print(f"on-line after {comes(admin, 'Gate', 'online'):.1f} s")
    until(30, "its serial number", lambda: device(admin, "Gate")["info"].get("serial"))
    assert admin.get("/registrations") == []
    with pytest.raises(RefusedError) as told:
        admin.post(f"/channels/{device(admin, 'Gate')['channels'][0]['id']}/live")
    assert told.value.body["code"] == "picture-not-carried"


def test_from_outside_exactly_the_register_port_of_each_node_is_open(edge: Edge) -> None:
    assert edge.sweep(WAN_MAIN, DEVICE) == REGISTER
    assert edge.sweep(WAN_SUB, DEVICE) == REGISTER


def test_a_device_outside_that_was_added_by_its_address_is_reached_and_seen(admin: Admin) -> None:
    admin.post(
        "/devices",
        kind="dahua",
        name="Street",
        node=MAIN,
        host=WAN_DEVICE,
        channels=1,
        **scenario.CAMERA_LOGIN,
    )
    comes(admin, "Street", "online")
    # A lab camera that somebody asks for the first time stops once more while it loads its encoder.
    scenario.look(admin, device(admin, "Street"), 3)
    seen = scenario.look(admin, device(admin, "Street"), 5)
    print(f"{seen.frames} frames, {seen.lost} lost")
    assert seen.frames > 50
    assert seen.lost == 0


def test_the_service_stays_small(edge: Edge) -> None:
    program = (
        "import pathlib, subprocess\n"
        "pid = subprocess.run(['systemctl', 'show', '-P', 'MainPID', 'dss-ars'], capture_output=True,"
        " text=True).stdout.strip()\n"
        "lines = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()\n"
        "print(next(l.split()[1] for l in lines if l.startswith('Pss:')))"
    )
    kilobytes = int(edge.python(MAIN, program))
    print(f"PSS {kilobytes / 1024:.1f} MB")
    assert kilobytes <= 60 * 1024


def test_after_the_removal_script_nothing_is_reachable_and_the_device_is_off_line(
    edge: Edge, admin: Admin
) -> None:
    comes(admin, "Gate", "online")
    words = ["./dss", "dmz", "-i", str(INVENTORY), "--remove", "--out", str(edge.lab.folder / "dmz")]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    edge.on(EDGE, "sh", "-c", (edge.lab.folder / "dmz" / "dmz-remove.sh").read_text())
    print(f"off-line {comes(admin, 'Gate', 'offline', OFFLINE_SECONDS):.1f} s after the script")
    # Without us the router's own SSH is open to the outside again, as its owner had it.
    assert edge.sweep(WAN_MAIN, DEVICE) == [22]
    assert "dss" not in edge.on(EDGE, "nft", "list", "tables")
    assert edge.router().code == 0
    # The device itself notices only after 90 s of silence that its old connection is dead.
    print(f"on-line again after {comes(admin, 'Gate', 'online', OFFLINE_SECONDS):.1f} s")


def test_a_device_that_loses_its_network_is_off_line_and_comes_back(edge: Edge, admin: Admin) -> None:
    edge.lab.cut(DEVICE)
    print(f"off-line after {comes(admin, 'Gate', 'offline', OFFLINE_SECONDS):.1f} s of silence")
    edge.lab.heal(DEVICE)
    comes(admin, "Gate", "online", OFFLINE_SECONDS)


def test_the_scope_of_clients_does_not_open_the_register_port(edge: Edge) -> None:
    assert edge.router("-e", json.dumps({"dss_dmz": ["clients"]})).code == 0
    assert not set(edge.sweep(WAN_MAIN, DEVICE)) & set(REGISTER)
