"""Nine recordings at once in real Chromium: in step for long, at every speed, and with one that is slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.portal import recordings
from tests.portal.recordings import BEGIN, SHOTS, address, spreads, ss_archive, standing, states, told, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.portal.process import Portal
    from tests.portal.site import Site

pytestmark = pytest.mark.full

SECONDS = 180
DRIFT = 0.002
"""How much too fast or slow the cameras' clocks run; 100 times what crystals do."""
APART = 100.0
"""Milliseconds that pictures may be apart at normal speed."""
SLOW = """(() => {
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    set onmessage(hear) {
      let last = Promise.resolve();
      super.onmessage = (event) => {
        const late = window.slow && this.url.includes(window.slow) ? 2000 : 0;
        last = last.then(() => new Promise((done) => setTimeout(done, late))).then(() => hear(event));
      };
    }
  };
})()"""
"""A connection that needs two seconds for each message while `window.slow` names its channel."""


@pytest.fixture
def channels(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Nine cameras whose clocks differ."""
    made = recordings.store(site, tmp_path, monkeypatch, {})
    found = recordings.cameras(site, 9)
    shown = ss_archive.footage(BEGIN * 1000, SECONDS)
    for n, channel in enumerate(found):
        ss_archive.write(made.recordings, channel, shown, drift=DRIFT * (n - 4) / 4)
    with made:
        yield found


def looks(page: Page, seconds: float) -> list[list[float | None]]:
    """What stands, several times a second."""
    found = []
    for _ in range(int(seconds * 4)):
        found.append(standing(page))
        page.wait_for_timeout(150)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [1, 4, 9])
def test_pictures_of_cameras_with_different_clocks_stay_in_step(
    channels: list[str], page: Page, portal: Portal, size: int, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address(portal.url, channels[:size], 2, size))
    until(page, lambda: standing(page) == [2.0] * size, "all stand")
    page.keyboard.press("Space")
    page.wait_for_timeout(3000)
    found = looks(page, 5 if size < 9 else 60)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"playback-{size}-{scheme}.png")
    apart = spreads(found)
    if size > 1:
        print(f"{size} pictures apart: {told(apart)}")
        assert apart[len(apart) * 95 // 100] < APART
    page.keyboard.press("Space")
    until(page, lambda: len(set(standing(page))) == 1, "all stand at one picture")


def test_fast_and_slow_playing_goes_as_fast_as_it_says_in_all_pictures(
    channels: list[str], page: Page, portal: Portal
) -> None:
    page.goto(address(portal.url, channels, 2, 9))
    until(page, lambda: standing(page) == [2.0] * 9, "all stand")
    for speed in (0.25, 4, 16):
        page.locator("#speed").select_option(str(speed))
        page.locator("#desk").focus()
        page.keyboard.press("k")
        began = page.evaluate("[performance.now(), Number(document.querySelector('#playback').dataset.at)]")
        page.wait_for_timeout(4000)
        page.keyboard.press("k")
        until(page, lambda: states(page) == ["picture"] * 9, "all show something")
        ended = page.evaluate("[performance.now(), Number(document.querySelector('#playback').dataset.at)]")
        page.wait_for_timeout(700)
        stood = standing(page)
        at = (ended[1] - BEGIN) / 1000
        print(f"{speed} x: at {at:.1f} s stand {sorted(set(stood))}")
        assert ended[1] - began[1] > 3000 * speed
        # Above the ninth part of nine pictures only key frames are shown, one each two seconds.
        assert all(one is not None and at - (2.05 if speed > 1 else 0.1) < one <= at + 0.05 for one in stood)


def test_a_slow_picture_holds_nobody_up_and_is_brought_back_in_step(
    channels: list[str], page: Page, portal: Portal
) -> None:
    page.add_init_script(SLOW)
    page.goto(address(portal.url, channels[:4], 2))
    until(page, lambda: standing(page) == [2.0] * 4, "all stand")
    page.evaluate("(channel) => (window.slow = channel)", channels[1])
    page.keyboard.press("Space")
    until(page, lambda: states(page)[1] != "picture", "the slow one is late", 40)
    others = [[row[0], row[2], row[3]] for row in looks(page, 5)]
    print(f"the others apart: {told(spreads(others))}")
    assert spreads(others)[len(others) * 95 // 100] < APART
    assert all(None not in row for row in others)
    page.evaluate("() => (window.slow = null)")
    until(page, lambda: states(page) == ["picture"] * 4, "the slow one is back", 40)
    page.wait_for_timeout(3000)
    apart = spreads(looks(page, 4))
    print(f"all apart afterwards: {told(apart)}")
    assert apart[len(apart) * 95 // 100] < APART
