"""Several recordings on one playhead in real Chromium, from a real DSS_SS: in step and honest about gaps."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import av
import pytest
from playwright.sync_api import expect

from lab import counter
from tests.portal import recordings
from tests.portal.recordings import BEGIN, SHOTS, address, spreads, ss_archive, standing, states, told, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.portal.process import Portal
    from tests.portal.site import Site

SECONDS = 40


@pytest.fixture
def channels(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Four cameras: the clocks of two run wrong, of the third two seconds are missing."""
    made = recordings.store(site, tmp_path, monkeypatch, {})
    found = recordings.cameras(site, 4)
    shown = ss_archive.footage(BEGIN * 1000, SECONDS)
    for channel, drift in zip(found, (0.0, 0.004, 0.0, -0.004), strict=True):
        if channel != found[2]:
            ss_archive.write(made.recordings, channel, shown, drift=drift)
    seq = ss_archive.write(made.recordings, found[2], shown, 0, 10)
    ss_archive.write(made.recordings, found[2], shown, 12, SECONDS, seq)
    with made:
        yield found


def test_all_pictures_stand_at_one_moment_play_in_step_and_join_again_after_a_gap(
    channels: list[str], page: Page, portal: Portal, findings: Callable[[Page], list[str]]
) -> None:
    page.goto(address(portal.url, channels, 9))
    until(page, lambda: standing(page) == [9.0] * 4, "all stand at the moment of the address")
    page.keyboard.press(".")
    until(page, lambda: standing(page) == [9.04] * 4, "one picture on")
    page.keyboard.press(",")
    until(page, lambda: standing(page) == [9.0] * 4, "one picture back")
    page.keyboard.press("Space")
    until(page, lambda: states(page)[2] == "gap", "the gap of the third")
    expect(page.locator("#desk .cell").nth(2)).to_contain_text("Nothing recorded")
    keep(page, "gap")
    assert standing(page)[2] is None
    marks: list[list[float | None]] = []
    until(page, lambda: marks.append(standing(page)) or states(page)[2] == "picture", "the third is back")
    until(page, lambda: standing(page)[2], "the third shows a picture")
    page.keyboard.press("k")
    until(
        page, lambda: None not in standing(page) and len(set(standing(page))) == 1, "all stand at one picture"
    )
    print(f"apart while playing: {told(spreads(marks))}")
    stood, link = standing(page), page.url
    assert stood[2] is not None
    assert stood[2] >= 12
    page.goto(f"{portal.url}/playback")
    page.goto(link)
    until(page, lambda: standing(page) == stood, "the link shows the same")
    assert findings(page) == []


def test_a_long_day_its_zoom_small_pictures_and_bookmarks(
    channels: list[str], chromium: Browser, portal: Portal, log_in: Callable[[Page, str], None]
) -> None:
    with chromium.new_context(
        ignore_https_errors=True, viewport={"width": 1440, "height": 900}, timezone_id="Europe/Berlin",
        has_touch=True,
    ) as context:  # fmt: skip
        page = context.new_page()
        log_in(page, portal.url)
        page.goto(address(portal.url, channels, 19))
        bar, clock = page.locator("#bar"), page.locator("#clock")
        expect(page.locator("#covered")).to_contain_text("40 s recorded on this day")
        expect(page.locator("#covered")).to_contain_text("This day has 25 hours")
        assert bar.get_attribute("aria-valuemax") == str(25 * 3600)
        texts = page.locator("#scale text").all_text_contents()
        assert [texts.count("02:00"), texts.count("02:00 UTC+1")] == [1, 1]
        expect(clock).to_have_text("2026-10-25 02:59:59 UTC+2")
        page.keyboard.press("Space")
        expect(clock).to_have_text("2026-10-25 02:00:00 UTC+1")
        page.keyboard.press("Space")
        for _ in range(14):
            page.keyboard.press("+")
        expect(page.locator("#recorded .kept")).to_have_count(5)
        hover(page, channels, 31)
        bookmark(page)
        forms(page)
        clip(page)
        gestures(page)
        choose(page, channels)
        keep(page, "zoom")


def hover(page: Page, channels: list[str], after: int) -> None:
    """The small picture of a moment is the key frame at or before it."""
    x = page.evaluate(f"""() => {{
      const kept = document.querySelector('#recorded g:nth-child(4) .kept').getBoundingClientRect();
      return [kept.left + kept.width * {after} / {SECONDS}, kept.top + kept.height / 2];
    }}""")
    page.mouse.move(*x)
    image = page.locator("#glance img")
    expect(image).to_be_visible()
    keep(page, "glance")
    data = base64.b64decode((image.get_attribute("src") or "").partition(",")[2])
    with av.open(io.BytesIO(data), format="image2pipe") as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (320, 180)
    assert counter.read_mark(frame).clock_ms == BEGIN + after // 10 * 10_000


def bookmark(page: Page) -> None:
    """One is set by key, once for two strokes, shown on the bar and in the list, opened and removed."""
    page.keyboard.press("b")
    page.get_by_label("Name").fill("Van <b>comes</b>")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#recorded .flag")).to_have_count(1)
    page.locator("#bookmarks summary").click()
    expect(page.locator("#bookmarks-list")).to_contain_text("Van <b>comes</b>")
    page.get_by_role("button", name="10 s on").click()
    page.get_by_role("button", name="Show Van").click()
    expect(page.locator("#clock")).to_have_text("2026-10-25 02:00:00 UTC+1")
    page.reload()
    expect(page.locator("#recorded .flag")).to_have_count(1)
    page.locator("#bookmarks summary").click()
    page.get_by_role("button", name="Remove Van").click()
    page.locator("#bookmark-drop-form").get_by_role("button", name="Remove").click()
    expect(page.locator("#recorded .flag")).to_have_count(0)


FORMS = """async () => {
  const script = document.querySelector('script[src*="playback.js"]').src;
  const { row } = await import(new URL('bar_rows.js', script));
  const kinds = [['continuous'], ['event'], ['manual'], ['continuous', true], ['unheard-of']];
  const intervals = kinds.map(([kind, locked], n) => (
    { kind, locked, start: n * 10 + 1, end: n * 10 + 6, after: n === 4 ? 'clock' : 'gap' }));
  const made = row({ intervals: [...intervals, { start: 51, end: 56, after: 'gap' }], bookmarks: [] }, 0, 20, 60, (at) => at);
  return [...made.querySelectorAll('rect, .locked, .turned')].map((one) =>
    `${one.getAttribute('class')} ${one.getAttribute('fill') ?? ''} ${one.getAttribute('height') ?? ''}`.trim());
}"""  # noqa: E501 - a program of its own


def forms(page: Page) -> None:
    """Kinds are told apart without colour; a kind that is not known or not told is drawn as recorded."""
    assert page.evaluate(FORMS) == [
        "kept kept-continuous  16", "kept kept-event url(#event-form) 9.6",
        "kept kept-manual url(#manual-form) 12.8", "kept kept-continuous  16", "locked", "turned",
        "kept kept-continuous  16", "kept kept-continuous  16",
    ]  # fmt: skip


def clip(page: Page) -> None:
    """Its ends are set by keys and told to the page's other tools."""
    page.locator("#bar").focus()
    for key in ("[", "l", "]"):
        page.keyboard.press(key)
    low, high = page.evaluate(
        "(({clipFrom, clipTo}) => [clipFrom, clipTo])(document.querySelector('#playback').dataset)"
    )
    assert int(high) - int(low) == 10_000
    expect(page.locator("#download")).to_be_enabled()


def gestures(page: Page) -> None:
    """The wheel and two fingers zoom, dragging moves, and none of them seeks."""
    box = page.locator("#bar").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    texts, seen = page.locator("#scale text"), page.locator("#clock").inner_text()
    page.get_by_role("button", name="Day", exact=True).click()
    expect(texts.nth(1)).to_have_text("02:00")
    page.mouse.move(x, y)
    page.mouse.wheel(0, -100)
    expect(texts.nth(1)).not_to_have_text("02:00")
    page.get_by_role("button", name="Day", exact=True).click()
    touch = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 50), ("touchMove", 150), ("touchMove", 300), ("touchEnd", 0)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}] if apart else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(texts.nth(1)).not_to_have_text("02:00")
    before = texts.all_text_contents()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 300, y, steps=3)
    page.mouse.up()
    expect(texts.first).not_to_have_text(before[0])
    expect(page.locator("#clock")).to_have_text(seen)


def choose(page: Page, channels: list[str]) -> None:
    """By keyboard: to the second picture, and another camera in it; the address says so."""
    page.locator("#desk .cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Camera of picture 2")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("(old) => !location.search.includes(old)", arg=channels[1])
    assert page.url.count("&c=") == 4
    expect(page.locator("#playback")).to_have_attribute("data-channel", channels[2])


def keep(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"playback-{name}.png")
