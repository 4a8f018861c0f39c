"""A microphone in real Chromium reaches a camera's ONVIF back channel through the portal's own pages."""

from __future__ import annotations

import math
import struct
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from services.smc import audit
from tests.browser import LAUNCH

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import mts_rack
    from playwright.sync_api import Page

    from tests.portal.process import Portal

RATE, HERTZ = 48000, 440
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
    print(len(sound), "samples", talking.frequency(sound), "Hz")
    assert len(sound) > 1.5 * talking.RATE
    assert abs(talking.frequency(sound) - HERTZ) < 5
    with portal.site.platform.session() as session:
        assert "talk.open" in [one.action for one in audit.listing(session)]


def test_a_camera_that_cannot_hear_or_move_says_so_at_once(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=1&c={channel}")
    page.get_by_role("button", name="Talk to the camera of picture 1").click()
    told = page.locator("[data-part=talking]")
    expect(told).to_contain_text("This camera cannot be talked to.", timeout=10000)
    page.get_by_role("button", name="Move the camera of picture 1").click()
    pad = page.get_by_role("group", name="Move the camera", exact=True)
    expect(pad.get_by_role("status")).to_contain_text("known by an RTSP address alone", timeout=10000)
    page.screenshot(path=SHOTS / "live-pad.png")
