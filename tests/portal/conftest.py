"""A whole site behind the real portal: real MariaDB and Redis, real manifests and rendered node files.

Only the boundary to other machines is fed: beats are written into Redis as DSS_SMC writes them, and node
agents answer on loopback in the agent's own JSON, subs by mutual TLS.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.bundle import cache
from services.smc import devices
from tests.portal import racks
from tests.portal.agent import main_agent, sub_agent
from tests.portal.agent_server import certificates, serving
from tests.portal.process import Portal, running
from tests.portal.site import NAME, PASSWORD, Site, beating, configure_main, populate, rendered
from tests.portal.visitor import Visitor, newcomer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.conftest import Platform

AXE = Path(__file__).parent / "axe"
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}"


@pytest.fixture
def site(platform: Platform, free_port: Callable[[], int]) -> Iterator[Site]:
    """Main, an enabled sub, a sub that waits; one camera online, one with a wrong password."""
    files, etc = rendered(), platform.files.etc
    for name in ("catalog.json", "ports.json"):
        (etc / name).write_text(files["main-a"][f"/etc/dss/{name}"].text)
    agent_port, tls_port = free_port(), free_port()
    configure_main(platform.files, agent_port, tls_port, free_port)
    tls = certificates(etc / "pki", platform.files.credentials)
    agents = {"main-a": main_agent(files["main-a"]), "sub-1": sub_agent(files["sub-1"])}
    made = Site(platform, agents, populate(platform))
    with (
        serving(agents["main-a"], "127.0.0.1", agent_port),
        serving(agents["sub-1"], "127.0.0.21", tls_port, "/cluster/smc", tls("sub-1")),
        beating(made),
    ):
        yield made


@pytest.fixture
def stranger(site: Site) -> Visitor:
    """Somebody who is not logged in, at an initialised site."""
    return newcomer()


@pytest.fixture
def admin(stranger: Visitor) -> Visitor:
    """The administrator, logged in."""
    assert stranger.login().status_code == 303
    return stranger


@pytest.fixture
def first_visitor(platform: Platform) -> Visitor:
    """Somebody at a platform that nobody initialised."""
    return newcomer()


@pytest.fixture
def portal(site: Site, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Portal]:
    """gunicorn and nginx on loopback."""
    with running(site, tmp_path, free_port()) as made:
        yield made


@pytest.fixture
def rack(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[racks.mts_rack.Rack]:
    """Main's DSS_MTS on the port and with the key that the portal knows."""
    made = racks.mts_rack.Rack(tmp_path / "mts", {"stall_seconds": 2})
    racks.fit(made, site, monkeypatch)
    with made:
        yield made


@pytest.fixture
def channel(site: Site) -> str:
    """The channel of the camera that is online."""
    with site.platform.session() as session:
        return next(one for one in devices.listing(session) if one.name == "Gate east").channels[0].id


@pytest.fixture
def page(chromium: Browser, portal: Portal, log_in: Callable[[Page, str], None]) -> Iterator[Page]:
    """A logged-in browser with room for a wall."""
    with chromium.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        log_in(page, portal.url)
        yield page


@pytest.fixture
def log_in() -> Callable[[Page, str], None]:
    """Logs in as a person does."""

    def by_form(page: Page, url: str) -> None:
        page.goto(f"{url}/login")
        page.get_by_label("Account").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{url}/")

    return by_form


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, fetched by npm as the lock file says."""

    def fetch(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(AXE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True,
                       capture_output=True)  # fmt: skip

    key = cache.key_of((AXE / "package-lock.json").read_text())
    place = cache.part(cache.folder() / "axe", key, fetch)
    return (place / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def findings(axe: str) -> Callable[[Page], list[str]]:
    """What axe-core finds on a page, one line per element."""

    def find(page: Page) -> list[str]:
        page.evaluate(axe)
        found = page.evaluate(f"axe.run(document, {RULES})")
        return [
            f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return find
