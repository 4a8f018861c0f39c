"""Every page in real Chromium: silent console, no policy violation, no accessibility finding, no overflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

    from tests.portal.process import Portal

HERE = Path(__file__).parent
# Kept after the run for people to look at.
SHOTS = HERE.parents[1] / ".cache" / "screenshots"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
WIZARD = (
    "scope=clients&scope=devices&node=main-a&address=203.0.113.10&router=198.18.0.1"
    "&kind=nftables&interface=wan0"
)
PAGES = {
    "home": "/", "live-1": "/live?size=1&c=", "live-4": "/live?size=4&c=",
    "live-9": "/live?size=9&c=", "live-36": "/live?size=36&c=", "playback": "/playback",
    "playback-9": "/playback?size=9",
    "exports": "/exports", "topology": "/topology?node=sub-1",
    "topology-table": "/topology?view=table", "servers": "/servers", "server": "/servers/sub-1",
    "services": "/services/main-a", "services-log": "/services/sub-1?log=mts", "devices": "/devices",
    "device-add": "/devices/add", "ports": "/ports", "settings": "/settings/sub-1",
    "ports-reach": "/ports?reach=1", "dmz": "/dmz", "dmz-address": f"/dmz/address?{WIZARD}",
    "dmz-wrong": "/dmz/list?scope=clients&node=main-a&address=x&router=&kind=nftables",
    "dmz-list": f"/dmz/list?{WIZARD}", "dmz-mikrotik": f"/dmz/list?{WIZARD}&vendor=mikrotik",
    "dmz-test": f"/dmz/test?{WIZARD}", "dmz-apply": f"/dmz/apply?{WIZARD}", "tasks": "/tasks",
    "task": f"/tasks/main-a/backup/{'a' * 32}", "backups": "/backups", "releases": "/releases",
    "players": "/players", "player-add": "/players/add",
    "certificates": "/certificates",
    "service-ports": "/services/main-a/mts/ports", "about": "/about", "missing": "/no-such-page",
}  # fmt: skip


@dataclass
class Watched:
    """A page whose console and errors are kept."""

    page: Page
    noise: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself reports the status of what is missing or refused on purpose; no recorder runs.
        url = message.location.get("url", "")
        expected = (
            ("status of 404" in message.text and "no-such-page" in url)
            or ("status of 422" in message.text and "address=x" in url)
            or ("/ss/play/" in message.text and "response code: 502" in message.text)
        )
        if message.type in {"error", "warning"} and not expected:
            self.noise.append(f"{message.type}: {message.text}")


def opened(browser: Browser, size: str, scheme: str) -> BrowserContext:
    """A fresh browser profile of this size, in light or dark."""
    width, height = SIZES[size]
    return browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, ignore_https_errors=True,
        has_touch=size == "phone",
    )  # fmt: skip


def examine(watched: Watched, findings: Callable[[Page], list[str]], name: str) -> list[str]:
    """Everything that is wrong with the page that is open, and its picture on disk."""
    page = watched.page
    page.screenshot(path=SHOTS / f"{name}.png", full_page="phone" in name)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    wrong = [f"{wide} px wider than the screen"] if wide > 0 else []
    wrong += findings(page) + watched.noise
    watched.noise.clear()
    return [f"{name}: {one}" for one in wrong]


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("desk", "light"),
        ("phone", "dark"),
        pytest.param("desk", "dark", marks=pytest.mark.full),
        pytest.param("phone", "light", marks=pytest.mark.full),
    ],
)
def test_every_page_is_clean_in_a_browser(
    portal: Portal,
    chromium: Browser,
    log_in: Callable[[Page, str], None],
    findings: Callable[[Page], list[str]],
    size: str,
    scheme: str,
) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with opened(chromium, size, scheme) as context:
        watched = Watched(context.new_page())
        watched.page.goto(f"{portal.url}/login")
        wrong += examine(watched, findings, f"login-{size}-{scheme}")
        log_in(watched.page, portal.url)
        for name, path in PAGES.items():
            watched.page.goto(portal.url + path)
            wrong += examine(watched, findings, f"{name}-{size}-{scheme}")
    assert not wrong, "\n".join(wrong)
