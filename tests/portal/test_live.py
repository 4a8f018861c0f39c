"""The player against a real DSS_MTS and a real camera, through nginx, in real Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from services.smc import devices

if TYPE_CHECKING:
    from collections.abc import Callable

    import mts_rack
    from playwright.sync_api import Locator, Page

    from tests.portal.process import Portal


LEVEL = """async () => {
  const context = new AudioContext(), analyser = context.createAnalyser();
  await context.resume();
  context.createMediaStreamSource(document.querySelector('video').captureStream()).connect(analyser);
  const row = new Float32Array(analyser.fftSize);
  let most = 0;
  for (let n = 0; n < 40 && most < 0.02; n += 1) {
    await new Promise((done) => setTimeout(done, 100));
    analyser.getFloatTimeDomainData(row);
    most = Math.max(most, ...row.map(Math.abs));
  }
  return most;
}"""
"""The highest sample of what is heard, 1 at the most; waits up to four seconds for some."""


def figures(page: Page) -> dict[str, str]:
    """What the player tells of itself."""
    found: dict[str, str] = page.evaluate("({...document.querySelector('video').dataset})")
    return found


def wait_for(page: Page, name: str, good: Callable[[str], bool], seconds: float = 20) -> dict[str, str]:
    """The figures once `name` is good."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = figures(page)
        if name in found and good(found[name]):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{name} is not as wished: {figures(page)}")


def choose(page: Page, portal: Portal, channel: str, stream: str = "main") -> None:
    """Open an empty wall and choose the camera, as a person does."""
    page.goto(f"{portal.url}/live?size=1&c=")
    page.get_by_label("Stream of picture 1").select_option(stream)
    page.get_by_label("Camera of picture 1", exact=True).select_option(channel)


def with_sound(rack: mts_rack.Rack, page: Page, portal: Portal, channel: str, sound: str) -> Locator:
    """A picture that plays, of a camera with sound; the button of it."""
    rack.camera(channel, sound)
    choose(page, portal, channel)
    wait_for(page, "state", lambda state: state == "playing")
    return page.get_by_role("button", name="Sound of picture 1")


def test_picture_comes_fast_stays_near_now_and_loses_nothing(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel, "1280x720", "2000")
    choose(page, portal, channel)
    first = wait_for(page, "firstFrameMs", bool)
    start, began = int(wait_for(page, "frames", lambda text: int(text) > 0)["frames"]), time.monotonic()
    time.sleep(8)
    found, took = figures(page), time.monotonic() - began
    print("first picture", first["firstFrameMs"], "ms; then", found)
    assert int(first["firstFrameMs"]) < 1500
    assert int(found["frames"]) - start >= 25 * took * 0.97 - 8
    assert int(found["dropped"]) <= 0.01 * int(found["frames"]) + 5
    assert float(found["lag"]) < 1.5
    assert int(found["reconnects"]) == 0
    assert page.get_by_text("live", exact=True).is_visible()
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / "live-running.png")


def test_picture_comes_back_by_itself_when_the_media_service_was_killed(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    choose(page, portal, channel)
    wait_for(page, "state", lambda state: state == "playing")
    assert rack.process
    rack.process.kill()
    rack.process.wait(5)
    before = int(wait_for(page, "state", lambda state: state == "waiting").get("frames", 0))
    rack.start()
    wait_for(page, "frames", lambda text: int(text) > before + 25, 30)
    assert figures(page)["state"] == "playing"


def test_picture_goes_on_when_the_camera_was_away(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    camera = rack.camera(channel)
    choose(page, portal, channel)
    wait_for(page, "state", lambda state: state == "playing")
    camera.kill()
    wait_for(page, "ageMs", lambda text: int(text) > 2500)
    message = page.locator("[data-part=message]").first
    wait_for(page, "state", lambda state: state == "waiting")
    assert "It cannot be reached, or was lost." in message.inner_text()
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / "live-lost.png")
    camera.start()
    before = int(figures(page)["frames"])
    wait_for(page, "frames", lambda text: int(text) > before + 25, 40)
    assert wait_for(page, "state", lambda state: state == "playing")["reconnects"] == "0"
    assert not message.is_visible()


def test_codec_the_browser_lacks_is_named_and_converted_on_request(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel, "h265")
    choose(page, portal, channel)
    assert wait_for(page, "state", lambda state: state == "unsupported")
    message = page.locator("[data-part=message]").first.inner_text()
    assert "cannot decode H.265" in message
    assert "H.264" in message
    with page.expect_download() as coming:
        page.get_by_role("button", name="Save picture 1", exact=True).click()
    assert coming.value.path().read_bytes()[:3] == b"\xff\xd8\xff"
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / "live-codec.png")
    page.get_by_role("button", name="Show a converted picture").click()
    assert int(wait_for(page, "frames", lambda text: int(text) > 30)["frames"]) > 30
    assert "avc1" in figures(page)["mime"]
    page.get_by_text("converted, about 1").wait_for()
    # The choice is the tile's: it stands in the address.
    assert page.url.endswith(f"c={channel}%3Aconverted")
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / "live-converted.png")


def test_camera_of_a_removed_device_is_refused_with_its_reason(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    page.goto(f"{portal.url}/live?size=1&c=")
    with portal.site.platform.session() as session:
        devices.remove(session, channel.split("-")[0], portal.site.account)
    page.get_by_label("Camera of picture 1", exact=True).select_option(channel)
    wait_for(page, "state", lambda state: state == "refused")
    assert "There is no such channel." in page.locator("[data-part=message]").first.inner_text()


def test_sound_is_heard_while_it_is_switched_on(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    button = with_sound(rack, page, portal, channel, "aac")
    heard = "document.querySelector('video').webkitAudioDecodedByteCount"
    assert page.evaluate("document.querySelector('video').muted")
    assert page.evaluate(heard) == 0
    button.click()
    until = time.monotonic() + 20
    while page.evaluate(heard) < 1000 and time.monotonic() < until:
        time.sleep(0.1)
    assert page.evaluate(heard) >= 1000
    assert not page.evaluate("document.querySelector('video').muted")
    assert button.get_attribute("aria-pressed") == "true"
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / "live-sound.png")
    button.click()
    wait_for(page, "state", lambda state: state == "playing")
    assert page.evaluate("document.querySelector('video').muted")
    assert page.evaluate(heard) == 0
    assert wait_for(page, "reconnects", bool)["reconnects"] == "0"


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_camera_with_sound_alone_says_so_and_is_heard_after_a_click(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str, scheme: Literal["light", "dark"],
    findings: Callable[[Page], list[str]],
) -> None:  # fmt: skip
    page.emulate_media(color_scheme=scheme)
    camera = rack.camera(channel, "aac", "alone")
    choose(page, portal, channel)
    found = wait_for(page, "state", lambda state: state == "playing")
    assert (found["sound"], page.evaluate("document.querySelector('video').muted")) == ("AAC", True)
    assert page.get_by_text("Sound only").is_visible()
    assert page.get_by_text("live", exact=True).is_visible()
    assert page.get_by_role("button", name="Save picture 1", exact=True).is_disabled()
    assert page.get_by_role("button", name="Lowest delay of picture 1").is_hidden()
    assert findings(page) == []
    page.get_by_role("button", name="Sound of picture 1").click()
    wait_for(page, "state", lambda state: state == "playing")
    assert not page.evaluate("document.querySelector('video').muted")
    assert page.evaluate(LEVEL) > 0.02
    time.sleep(4)
    found = figures(page)
    assert (found["reconnects"], float(found["lag"]) < 1.5) == ("0", True)
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / f"live-alone-{scheme}.png")
    camera.kill()
    wait_for(page, "state", lambda state: state == "waiting")
    assert "No sound from the camera." in page.locator("[data-part=message]").first.inner_text()
    assert not page.get_by_text("Sound only").is_visible()
    camera.start()
    wait_for(page, "state", lambda state: state == "playing", 30)
    assert wait_for(page, "ageMs", lambda text: int(text) < 1000)["reconnects"] == "0"


@pytest.mark.full
def test_sound_that_no_browser_plays_is_named_and_the_picture_goes_on(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    button = with_sound(rack, page, portal, channel, "surround")
    button.click()
    assert "two channels" in wait_for(page, "mute", bool)["mute"]
    wait_for(page, "frames", lambda text: int(text) > 10)
    assert wait_for(page, "reconnects", bool)["reconnects"] == "0"
    assert page.get_by_text("live, no sound").is_visible()
    assert "two channels" in (button.get_attribute("title") or "")


def test_four_pictures_run_at_once_and_stand_in_the_address(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=4" + f"&c={channel}:main" * 4)
    videos = "[...document.querySelectorAll('video')]"
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if page.evaluate(f"{videos}.every((v) => Number(v.dataset.frames) > 50)"):
            break
        time.sleep(0.2)
    else:
        raise AssertionError(page.evaluate(f"{videos}.map((v) => ({{...v.dataset}}))"))
    assert page.url.count(channel) == 4


def test_a_browser_without_media_source_plays_hls_by_itself(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    rack.camera(channel)
    choose(page, portal, channel)
    wait_for(page, "state", lambda state: state == "playing")
    wait_for(page, "frames", lambda text: int(text) > 0)
    page.locator("video[src*='/mts/hls/']").wait_for(state="attached", timeout=15_000)


def test_lowest_delay_plays_by_webrtc_with_the_sound_of_g711(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    with_sound(rack, page, portal, channel, "alaw")
    button = page.get_by_role("button", name="Lowest delay of picture 1")
    button.click()
    found = wait_for(page, "frames", lambda text: int(text) > 25)
    assert (found["way"], found["state"], found["sound"]) == ("webrtc", "playing", "G.711 (PCMA)")
    assert button.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Sound of picture 1").click()
    heard = "document.querySelector('video').srcObject?.getAudioTracks().filter((one) => !one.muted).length"
    until = time.monotonic() + 20
    while not page.evaluate(heard) and time.monotonic() < until:
        time.sleep(0.1)
    assert page.evaluate(heard) == 1
    assert "mute" not in figures(page)
    page.screenshot(path=Path(__file__).parents[2] / ".cache" / "screenshots" / "live-lowest-delay.png")
    button.click()
    assert wait_for(page, "way", lambda way: way == "websocket")
    wait_for(page, "state", lambda state: state == "playing")


@pytest.mark.full
def test_where_webrtc_cannot_be_the_picture_comes_in_the_other_way_and_says_why(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel, "bframes")
    choose(page, portal, channel)
    wait_for(page, "frames", lambda text: int(text) > 40)
    button = page.get_by_role("button", name="Lowest delay of picture 1")
    button.click()
    wait_for(page, "frames", lambda text: int(text) > 10)
    wait_for(page, "way", lambda way: way == "websocket")
    assert "B-frames" in (button.get_attribute("title") or "")
    assert button.get_attribute("aria-pressed") == "false"
