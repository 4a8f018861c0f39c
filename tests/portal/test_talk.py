"""Talk and the pad in real Chromium; the microphone reaches a real ONVIF back channel."""

from __future__ import annotations

import math
import statistics
import struct
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from services.smc import audit, devices
from tests.browser import LAUNCH

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import mts_rack
    from playwright.sync_api import Locator, Page

    from tests.portal.process import Portal

pytestmark = pytest.mark.full

RATE, HERTZ, PART = 48000, 440, 1600
SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"


def recorded(file: Path) -> Path:
    """A WAV file of a tone, as the microphone that Chromium makes of it."""
    steps = (int(12000 * math.sin(2 * math.pi * HERTZ * n / RATE)) for n in range(10 * RATE))
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(b"".join(struct.pack("<h", one) for one in steps))
    return file


@pytest.fixture
def speaker(portal: Portal, tmp_path: Path, log_in: Callable[[Page, str], None]) -> Iterator[Page]:
    """A logged-in browser with a microphone that hears a tone."""
    sound = recorded(tmp_path / "tone.wav")
    more = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={sound}"]  # fmt: skip
    with sync_playwright() as play:
        browser = play.chromium.launch(**(LAUNCH | {"args": [*LAUNCH["args"], *more]}))
        page = browser.new_context(ignore_https_errors=True).new_page()
        log_in(page, portal.url)
        yield page
        browser.close()


def test_a_tone_from_the_microphone_arrives_at_the_camera(
    rack: mts_rack.Rack, speaker: Page, portal: Portal, channel: str
) -> None:
    file = rack.folder / "heard.raw"
    rack.camera(channel, f"talk={file}")
    speaker.goto(f"{portal.url}/live?size=1&c={channel}")
    button = speaker.get_by_role("button", name="Talk to the camera of picture 1")
    button.focus()
    speaker.keyboard.down("Enter")
    told = speaker.locator("[data-part=talking]")
    expect(told).to_contain_text("You talk to Gate east", timeout=15000)
    found = talking.wait_heard(file, 3 * talking.RATE, 15)
    speaker.screenshot(path=SHOTS / "live-talk.png")
    speaker.keyboard.up("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    # The browser's own gain settles in the first second.
    sound = talking.loud(found)[talking.RATE :]
    assert len(sound) > 1.5 * talking.RATE
    # A busy machine makes holes in what Chromium records; between them the tone is right.
    parts = [talking.frequency(sound[n : n + PART]) for n in range(0, len(sound) - PART, PART)]
    print(len(sound), "samples, Hz:", [round(one, 1) for one in parts])
    assert abs(statistics.median(parts) - HERTZ) < 5
    with portal.site.platform.session() as session:
        assert "talk.open" in [one.action for one in audit.listing(session)]


def test_a_camera_without_loudspeaker_says_so_before_anybody_speaks(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=1&c={channel}")
    page.get_by_role("button", name="Talk to the camera of picture 1").click()
    told = page.locator("[data-part=talking]")
    expect(told).to_contain_text("This camera cannot be talked to.", timeout=10000)


def test_the_pad_moves_while_it_is_held_and_stops_when_let_go(
    page: Page, portal: Portal, channel: str
) -> None:
    moves = portal.site.agents["main-a"].moves
    page.goto(f"{portal.url}/live?size=1&c={channel}")
    page.get_by_role("button", name="Move the camera of picture 1").click()
    pad = page.get_by_role("group", name="Move the camera", exact=True)
    expect(pad.get_by_label("Presets of the camera")).to_contain_text("Gate")
    # The camera's only preset is chosen.
    expect(pad.get_by_label("Number of the preset")).to_have_value("7")
    pad.get_by_role("button", name="Left and up").click(button="right")
    assert moves == []
    pad.get_by_role("button", name="Left and up").hover()
    page.mouse.down()
    page.wait_for_timeout(2600)
    page.screenshot(path=SHOTS / "live-pad.png")
    hold_on(page, pad.get_by_role("button", name="Left and up"))
    assert {one["do"] for one in moves} == {"move"}
    page.mouse.up()
    page.wait_for_timeout(500)
    assert moves[0] == {"do": "move", "code": "left-up", "speed": 4}
    assert [one["do"] for one in moves[-2:]] == ["move", "stop"]
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert [(one["do"], one.get("code")) for one in moves[-2:]] == [("move", "right"), ("stop", None)]


def hold_on(page: Page, button: Locator) -> None:
    """Move a pressed pointer within a button for a while, as hands do."""
    box = button.bounding_box()
    assert box
    for x, y in ((4, 4), (20, 20), (10, 16)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=3)
    page.wait_for_timeout(500)


@pytest.mark.parametrize(("width", "height", "size"), [(1440, 900, 4), (390, 844, 1), (390, 844, 9)])
def test_the_whole_pad_is_in_the_picture_and_can_be_closed(
    page: Page, portal: Portal, channel: str, width: int, height: int, size: int,
    findings: Callable[[Page], list[str]],
) -> None:  # fmt: skip
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{portal.url}/live?size={size}&c={channel}")
    page.get_by_role("button", name="Move the camera of picture 1").click()
    pad = page.get_by_role("group", name="Move the camera", exact=True)
    expect(pad.get_by_label("Presets of the camera")).to_contain_text("Gate")
    pictured, inner = page.locator(".wall .cell").first.bounding_box(), pad.bounding_box()
    assert pictured
    assert inner
    for place, length in (("x", "width"), ("y", "height")):
        assert pictured[place] <= inner[place]
        assert inner[place] + inner[length] <= pictured[place] + pictured[length]
    assert findings(page) == []
    pad.get_by_role("button", name="Close").click()
    expect(pad).to_have_count(0)


def test_what_was_begun_for_a_camera_ends_when_its_picture_shows_another(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=4&c={channel}")
    talk = page.get_by_role("button", name="Talk to the camera of picture 1")
    talk.click(button="right")
    told = page.locator("[data-part=talking]").first
    expect(told).to_be_hidden()
    talk.click()
    expect(told).to_contain_text("This camera cannot be talked to.", timeout=10000)
    page.locator(".wall .cell").first.focus()
    page.keyboard.press("Delete")
    expect(told).to_be_hidden()
    page.get_by_role("button", name="Gate east").click()
    page.get_by_role("button", name="Move the camera of picture 1").click()
    pad = page.get_by_role("group", name="Move the camera", exact=True)
    expect(pad).to_be_visible()
    page.get_by_role("button", name="Fill the wall").click()
    expect(pad).to_be_visible()  # it is the same camera
    page.locator(".wall .cell").first.focus()
    page.keyboard.press("Delete")
    expect(pad).to_have_count(0)
    expect(page.get_by_role("button", name="Move the camera of picture 1")).to_have_attribute(
        "aria-pressed", "false"
    )


def test_a_camera_that_is_known_by_its_stream_alone_says_why_it_does_not_move(
    page: Page, portal: Portal
) -> None:
    with portal.site.platform.session() as session:
        yard = next(one for one in devices.listing(session) if one.name == "Yard").channels[0].id
    page.goto(f"{portal.url}/live?size=1&c={yard}")
    page.get_by_role("button", name="Move the camera of picture 1").click()
    pad = page.get_by_role("group", name="Move the camera", exact=True)
    expect(pad.get_by_role("status")).to_contain_text("known by an RTSP address alone", timeout=10000)
