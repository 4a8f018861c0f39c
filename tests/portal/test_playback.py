"""The day view against real recordings, in real Chromium: played from a click, by keys, and downloaded."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.portal import recordings
from tests.portal.recordings import SHOTS, ss_rack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.portal.process import Portal
    from tests.portal.site import Site


@pytest.fixture
def store(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str
) -> Iterator[ss_rack.Store]:
    """Main's recorder with one camera."""
    with recordings.store(site, tmp_path, monkeypatch, {"file_seconds": 5}) as made:
        made.counting(channel)
        made.wait_bytes(channel)
        time.sleep(24)
        yield made


def figure(page: Page, name: str, good: Callable[[float], bool], seconds: float = 15) -> float:
    """A figure of the player once it is good."""
    until, found = time.monotonic() + seconds, "nothing"
    while time.monotonic() < until:
        found = page.locator("#desk video").get_attribute(f"data-{name}") or ""
        if found and good(float(found)):
            return float(found)
        time.sleep(0.1)
    told = page.evaluate(
        "[{...document.querySelector('#desk video').dataset}, document.getElementById('page').innerText]"
    )
    raise AssertionError(f"{name} is {found}; the page tells {told}")


def test_a_day_is_searched_played_by_mouse_and_keys_and_downloaded(
    chromium: Browser, portal: Portal, log_in: Callable[[Page, str], None],
    findings: Callable[[Page], list[str]], store: ss_rack.Store, channel: str, tmp_path: Path,
) -> None:  # fmt: skip
    with chromium.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        log_in(page, portal.url)
        page.goto(f"{portal.url}/playback?c={channel}")
        first = figure(page, "seek-ms", lambda ms: ms >= 0)
        at = figure(page, "at", lambda ms: ms > 0)
        assert page.locator("#recorded .kept").count() == 1
        page.keyboard.press("Space")
        later = figure(page, "at", lambda ms: ms > at + 1500)
        page.keyboard.press("k")
        page.keyboard.press("j")
        back = figure(page, "at", lambda ms: ms < later - 6000)
        figure(page, "seek-ms", lambda ms: ms >= 0)
        # The first step goes to where a picture begins, the next one is as long as a picture.
        page.keyboard.press(".")
        begun = figure(page, "at", lambda ms: 0 < ms - back <= 120)
        figure(page, "seek-ms", lambda ms: ms >= 0)
        page.keyboard.press(".")
        figure(page, "at", lambda ms: 20 <= ms - begun <= 120)
        page.get_by_role("button", name="Clip starts here").click()
        page.get_by_role("button", name="10 s on").click()
        figure(page, "at", lambda ms: ms > back + 5000)
        page.get_by_role("button", name="Clip ends here").click()
        with page.expect_download() as caught:
            page.get_by_role("button", name="Download clip").click()
        caught.value.save_as(tmp_path / "clip.mp4")
        found = ss_rack.numbers(tmp_path / "clip.mp4")
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "playback.png")
        print(f"first picture {first:.0f} ms, clip of {len(found)} pictures")
        assert len(found) > 100
        assert ss_rack.losses(found) == []
        page.locator("#bar").focus()
        page.keyboard.press("PageDown")
        expect(page.locator("#bar")).to_have_attribute("aria-valuetext", re.compile("Why is not known."))
        expect(page.locator("#glance .glance-why")).to_have_text("Why is not known.")
        assert findings(page) == []
        assert wrong == []
