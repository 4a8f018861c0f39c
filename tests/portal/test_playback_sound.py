"""The playback page in real Chromium gives the sound of the marked camera, at normal speed only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.media.plans import CONTINUOUS, Plan
from tests.portal import recordings
from tests.portal.recordings import states, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.portal.process import Portal
    from tests.portal.site import Site

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

HEARD = "() => document.querySelector('#desk video').webkitAudioDecodedByteCount ?? 0"
MUTED = "() => document.querySelector('#desk video').muted"
RECORDED = 25


@pytest.fixture(params=["h264-audio", "h264-g711"])
def recorded(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A channel of main, recorded with its sound, AAC or G.711."""
    with recordings.store(site, tmp_path, monkeypatch, {"file_seconds": 5}) as made:
        made.counting(channel, request.param)
        plan = Plan(CONTINUOUS, sound=True).as_dict()
        made.channels = [row | {"plan": plan} for row in made.channels]
        made.wait_bytes(channel)
        time.sleep(RECORDED)
        yield channel


def test_the_marked_camera_is_heard_at_normal_speed_only_and_pictures_go_on(
    recorded: str, page: Page, portal: Portal, findings: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{portal.url}/playback?c={recorded}")
    until(page, lambda: states(page) == ["picture"], "a picture")
    page.keyboard.press("j")
    until(page, lambda: states(page) == ["picture"], "a picture of ten seconds before")
    page.keyboard.press("Space")
    time.sleep(1)
    assert (page.evaluate(HEARD), page.evaluate(MUTED)) == (0, True)
    page.get_by_role("button", name="Sound").click()
    until(page, lambda: page.evaluate(HEARD) > 4000, "it is heard")
    assert page.evaluate(MUTED) is False
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    before = page.evaluate("document.querySelector('#desk video').currentTime")
    time.sleep(2)
    gone = page.evaluate("document.querySelector('#desk video').currentTime") - before
    assert 1.5 < gone < 3
    page.locator("#speed").select_option("2")
    until(page, lambda: page.evaluate(MUTED), "nothing is heard at another speed")
    expect(page.locator("#no-sound")).to_have_text("sound at 1 \N{MULTIPLICATION SIGN} only")
    page.locator("#speed").select_option("1")
    until(page, lambda: not page.evaluate(MUTED), "it is heard again")
    page.keyboard.press("m")
    until(page, lambda: page.evaluate(MUTED), "the key turns it off")
    assert findings(page) == []
