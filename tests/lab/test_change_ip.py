"""A server gets another address: everything follows from one line of the inventory, or from the portal."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab import scenario
from lab.admin import Admin, until
from lab.counter import UnreadableError
from lab.fixtures import PASSWORD, alone, settle
from lab.site import MAIN, SUB, Site

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

OLD, NEW, NEWEST = "198.18.0.10", "198.18.0.13", "198.18.0.14"
FOLLOWED_SECONDS = 30


@pytest.fixture(scope="module")
def moving(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A lab of its own with an inventory of its own, since both get other addresses."""
    inventory = tmp_path_factory.mktemp("moving") / "inventory"
    inventory.mkdir()
    source = Path(__file__).resolve().parents[2] / "inventories" / "demo" / "hosts.yml"
    (inventory / "hosts.yml").write_text(source.read_text())
    with alone("moving") as lab:
        lab.up(inventory)
        site = Site(lab, inventory, "127.0.0.1:18446")
        settle(site)
        yield site


def readdress(site: Site, *addresses: str) -> None:
    """Give main's network card these addresses and no other, as an administrator of Debian does."""
    lines = "".join(f"Address={one}/24\\n" for one in addresses)
    file = "/etc/systemd/network/10-host0.network"
    command = f"sed -i '/^Address=/d; s|^\\[Network\\]|&\\n{lines}|' {file} && networkctl reload"
    site.on(MAIN, "sh", "-ec", command)


def enter(site: Site, address: str) -> Admin:
    """An administrator at main's portal under another address."""
    site.lab.close(site.listen)
    site.lab.forward(site.listen, f"{address}:443")
    admin = site.admin()
    admin.login(scenario.USER, PASSWORD)
    return admin


def follows(site: Site, admin: Callable[[], Admin]) -> Admin:
    """Wait until the sub reports to main again and both cameras are seen."""
    fresh: Admin = until(30, "the portal answers under the new address", lambda: reached(admin))
    until(30, "the sub reports", lambda: fresh.get(f"/nodes/{SUB}")["reach"] == "reachable")
    for device in scenario.add_cameras(fresh):
        until(30, f"{device['name']} is seen again", partial(seen, fresh, device))
    return fresh


def seen(admin: Admin, device: dict[str, Any]) -> bool:
    """Whether good pictures come; the one in which the connection to the camera broke may be torn."""
    try:
        return bool(scenario.look(admin, device, 1).frames)
    except UnreadableError:
        return False


def reached(admin: Callable[[], Admin]) -> Admin | None:
    try:
        return admin()
    except (OSError, ssl.SSLError):
        return None


def test_one_line_of_the_inventory_moves_main_and_its_sub_follows(moving: Site) -> None:
    site, hosts = moving, moving.inventory / "hosts.yml"
    readdress(site, NEW)
    moved = time.monotonic()
    hosts.write_text(hosts.read_text().replace(OLD, NEW))
    play = site.play()
    assert play.code == 0, play.output[-4000:]
    follows(site, lambda: enter(site, NEW))
    took = time.monotonic() - moved
    print(f"video back {took:.1f} s after the address moved, the run took {play.seconds:.1f} s")
    assert took <= FOLLOWED_SECONDS
    for host in (MAIN, SUB):
        assert site.on(host, "sh", "-c", f"grep -rlF '{OLD}' /etc/dss /etc/systemd || true") == ""
    again = site.play()
    assert (again.code, set(again.changed.values())) == (0, {0})


def test_the_portal_moves_main_to_another_of_its_addresses_and_the_inventory_can_take_it_over(
    moving: Site,
) -> None:
    site = moving
    readdress(site, NEW, NEWEST)
    admin = enter(site, NEW)
    asked = admin.post(f"/nodes/{MAIN}/changes", address=NEWEST)
    there = enter(site, NEWEST)

    def waits() -> bool:
        found = there.get(f"/nodes/{MAIN}/changes/{asked['id']}")
        assert found["state"] in {"asked", "checking", "applying", "waiting"}, found
        return bool(found["state"] == "waiting")

    until(30, "the change waits for its confirmation", waits)
    there.post(f"/nodes/{MAIN}/changes/{asked['id']}/confirm")
    until(20, "the sub knows", lambda: knows(site) == NEWEST)
    readdress(site, NEWEST)
    moved = time.monotonic()
    follows(site, lambda: enter(site, NEWEST))
    assert time.monotonic() - moved <= FOLLOWED_SECONDS
    hosts = site.inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace(NEW, NEWEST))
    play = site.play()
    assert play.code == 0, play.output[-4000:]
    assert "at run time" not in play.output
    assert site.on(MAIN, "sh", "-c", "cat /etc/dss/overrides.json 2>/dev/null || true") == ""


def knows(site: Site) -> str:
    """Where the sub believes main to be."""
    return str(json.loads(site.on(SUB, "cat", "/etc/dss/node.json"))["center"]["address"])
