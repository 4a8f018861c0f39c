"""The bar of the playback page says why something is missing: by pointer, by keys and in words."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.ss.entry import SECOND
from services.ss.reasons import CAMERA, RECORDED, UNPLANNED, Change, Reasons
from tests.portal import recordings
from tests.portal.recordings import BEGIN, SHOTS, address, ss_archive, ss_card

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.portal.process import Portal
    from tests.portal.site import Site

AWAY = "No picture came from the camera. It cannot be reached, or was lost."
BACK = 40
"""Seconds after the beginning where it is recorded again."""
KILLED = "The recorder (DSS_SS) was away. It ended without being stopped."


def at(seconds: float) -> int:
    return BEGIN * 1000 + round(seconds * SECOND)


def kept(state: Path, channel: str) -> None:
    """As DSS_SS keeps it of a camera that is lost, of a kill, and of a plan that ends."""
    state.mkdir(parents=True)
    for began, changes in (
        (-60, [(0, RECORDED, ""), (10, CAMERA, "It cannot be reached, or was lost."), (25, CAMERA, "")]),
        (38, [(39, RECORDED, ""), (60, UNPLANNED, ""), (900, UNPLANNED, "")]),
    ):
        reasons = Reasons(state)
        reasons.begin(at(began), 0)
        for when, reason, detail in changes:
            reasons.note([Change(channel, at(when), reason, detail)], at(when))


def point(page: Page, after: float) -> None:
    """Put the pointer on a moment of the bar, seconds after the beginning."""
    place = page.locator("#bar svg").bounding_box()
    starts = "[...document.querySelectorAll('#recorded .kept')].map((one) => one.getBoundingClientRect().x)"
    low, high = page.evaluate(starts)
    assert place
    page.mouse.move(low + (high - low) * after / BACK, place["y"] + 18)


@pytest.mark.full
def test_a_gap_says_why_by_pointer_by_keys_and_in_words(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Page, portal: Portal,
    findings: Callable[[Page], list[str]],
) -> None:  # fmt: skip
    made = recordings.store(site, tmp_path, monkeypatch, {})
    (channel,) = recordings.cameras(site, 1)
    shown = ss_archive.footage(BEGIN * 1000, 60)
    last = ss_archive.write(made.recordings, channel, shown, 0, 10)
    ss_archive.write(made.recordings, channel, shown, BACK, 60, last)
    kept(made.folder / "state", channel)
    with made:
        page.goto(address(portal.url, [channel], 20, 1))
        why, bar = page.locator("#glance .glance-why"), page.locator("#bar")
        expect(page.locator("#covered")).to_contain_text("recorder away, 15 s camera away.")
        expect(page.locator("#desk .cell")).to_contain_text(AWAY)
        for _ in range(10):
            page.keyboard.press("+")
        expect(page.locator("#recorded .kept")).to_have_count(2)
        expect(page.locator("#recorded .gap-failed")).to_have_count(2)
        expect(page.locator("#recorded .gap-plan")).to_have_count(1)
        point(page, 30)
        expect(why).to_have_text(KILLED)
        keep(page, "pointer")
        point(page, 5)
        expect(why).to_be_hidden()
        page.mouse.move(0, 0)
        expect(page.locator("#glance")).to_be_hidden()
        page.keyboard.press("Tab")
        bar.focus()
        expect(bar).to_have_attribute("aria-valuetext", re.compile(re.escape(f"Nothing recorded. {AWAY}")))
        expect(why).to_have_text(AWAY)
        keep(page, "keys")
        page.keyboard.press("ArrowRight")
        expect(why).to_have_text("Nothing was planned.")
        assert findings(page) == []


@pytest.mark.full
def test_how_far_fetching_is_goes_on_without_a_reload_until_the_gap_is_closed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str, page: Page, portal: Portal,
) -> None:  # fmt: skip
    settings = {"file_seconds": 4, "fetch_speed": 2, "fetch_retry_seconds": 1}
    with recordings.store(site, tmp_path, monkeypatch, settings) as store:
        camera = ss_card.recorded(store, channel, ss_card.CardCamera(str(tmp_path / "card")))
        store.wait_bytes(channel, 500_000)
        camera.cut()
        time.sleep(45)
        lost = time.time() - 25
        camera.mend()
        store.wait_bytes(channel, 300_000, 60)
        moment = datetime.fromtimestamp(lost, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        page.goto(f"{portal.url}/playback?size=1&at={moment}&c={channel}")
        page.evaluate("window.stayed = true")
        bar, told = (
            page.locator("#bar"),
            "is being fetched from the camera\N{RIGHT SINGLE QUOTATION MARK}s own storage: ",
        )
        expect(bar).to_have_attribute("aria-valuetext", re.compile(re.escape(told)), timeout=60_000)
        for _ in range(12):
            page.keyboard.press("+")
        shares = {share(page, told)}
        recordings.until(page, lambda: shares.add(share(page, told)) or len(shares) > 2, "it goes on", 60)
        keep(page, "fetching")
        expect(page.locator("#recorded .owed-done")).to_have_count(1)
        # What lies under the playhead is here before the rest is.
        expect(bar).not_to_have_attribute("aria-valuetext", re.compile("Nothing recorded"), timeout=90_000)
        expect(page.locator("#recorded .fetched")).not_to_have_count(0)
        expect(page.locator("#recorded .owed")).to_have_count(0, timeout=60_000)
        print(f"shares that were shown: {sorted(shares)}")
        assert page.evaluate("window.stayed") is True


def share(page: Page, told: str) -> int:
    """Per cent that the bar tells; -1 while it tells none."""
    text = page.locator("#bar").get_attribute("aria-valuetext") or ""
    found = re.search(re.escape(told) + r"(\d+) %", text)
    return int(found[1]) if found else -1


def keep(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.screenshot(path=SHOTS / f"gaps-{name}-{scheme}.png")
    page.emulate_media(color_scheme="light")
