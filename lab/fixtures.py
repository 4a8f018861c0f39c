"""Pytest fixtures of the lab, shared by every kind of test that needs real hosts."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import scenario
from lab.admin import Admin
from lab.rack import Lab
from lab.site import Site
from lab.tools import run

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = ROOT / "inventories" / "demo"
PASSWORD = "Tests-hgkmp-7Q"  # noqa: S105
LISTEN = os.environ.get("DSS_TESTS_LISTEN", "127.0.0.1:18443")
LAB = os.environ.get("DSS_TESTS_LAB", "tests")
"""Name of the lab and the forwarded portal; other ones let two runs of these tests live side by side."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--full` also runs what is too long for every day; `--keep-lab` leaves the lab up for the next run."""
    parser.addoption("--full", action="store_true", help="also run tests marked full")
    parser.addoption("--keep-lab", action="store_true", help="use and leave a running lab named tests")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the one mark of our own; a CI system that gives up asks by SIGTERM and means Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "full: too long for every day; runs with --full")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked full, unless asked for; it is counted as deselected, not as passed."""
    if config.getoption("--full"):
        return
    kept = [item for item in items if "full" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle of the source as it stands, for Debian 12."""
    run(ROOT / "dss", "bundle", "--release", "12")
    return ROOT / "dist" / "latest"


@contextmanager
def alone(name: str, keep: bool = False) -> Iterator[Lab]:
    """The lab of this name, bare and for this test alone; `keep` takes it as it is and leaves it up."""
    lab, before = Lab(name), os.environ.get("DSS_LAB")
    os.environ["DSS_LAB"] = name
    if not keep:
        lab.down()
    try:
        yield lab
    finally:
        if not keep:
            lab.down()
        os.environ.pop("DSS_LAB") if before is None else os.environ.update(DSS_LAB=before)


def deploy(site: Site, *options: str) -> Admin:
    """Deploy a site on its bare hosts and initialise it; returns who did."""
    site.first = site.play(*options)
    assert site.first.code == 0, site.first.output[-6000:]
    site.lab.forward(site.listen, "198.18.0.10:443")
    admin = site.admin()
    scenario.enter(admin, PASSWORD)
    return admin


def settle(site: Site, *options: str, cameras: scenario.Cameras = scenario.CAMERAS) -> None:
    """Deploy a site, initialise it and bring its cameras online."""
    admin = deploy(site, *options)
    scenario.enable_subs(admin)
    scenario.add_cameras(admin, cameras)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Site]:
    """inventories/demo, deployed from bare hosts, initialised, with both cameras online."""
    with alone(LAB, request.config.getoption("--keep-lab")) as lab:
        lab.up(INVENTORY)
        deployed = Site(lab, INVENTORY, LISTEN)
        settle(deployed)
        yield deployed


@pytest.fixture
def admin(site: Site) -> Admin:
    """An administrator of the deployed site, logged in."""
    entered = site.admin()
    entered.login(scenario.USER, PASSWORD)
    return entered
