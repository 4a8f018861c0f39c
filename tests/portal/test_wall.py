"""The wall of live pictures against a real DSS_MTS and a real camera, in real Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from services.runtime import clock
from services.smc import models, passwords
from tests.portal.site import NAME, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    import mts_rack
    from playwright.sync_api import Locator, Page, Request

    from tests.portal.process import Portal
    from tests.portal.site import Site

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
OTHER = "olga"
FIGURES = "[...document.querySelectorAll('.cell video')].map((video) => ({...video.dataset}))"


@pytest.fixture
def other(site: Site) -> None:
    """A second account, with the same password."""
    with site.platform.session() as session:
        now = clock.now()
        session.add(models.Account(key=OTHER, name=OTHER, password_hash=passwords.hashed(PASSWORD),
                                   role="operator", created_at=now, password_changed_at=now))  # fmt: skip
        session.commit()


def figures(page: Page) -> list[dict[str, str]]:
    """What each player tells of itself, in the order of the wall."""
    found: list[dict[str, str]] = page.evaluate(FIGURES)
    return found


def until(page: Page, good: Callable[[list[dict[str, str]]], bool], seconds: float = 20) -> Any:  # noqa: ANN401
    """The players' figures once they are good."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if good(found := figures(page)):
            return found
        page.wait_for_timeout(100)
    raise AssertionError(figures(page))


def plays(*places: int, stream: str = "sub") -> Callable[[list[dict[str, str]]], bool]:
    """Whether exactly these places (from 1) play this stream."""

    def good(found: list[dict[str, str]]) -> bool:
        playing = [n for n, one in enumerate(found, 1) if one.get("state") == "playing"]
        return playing == list(places) and all(found[n - 1]["stream"] == stream for n in places)

    return good


def picture(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=f"Picture {number}", exact=True)


def chosen(page: Page) -> list[str]:
    """Which camera stands in each picture."""
    return [one.input_value() for one in page.locator("[data-part=channel]").all()]


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.full)])
def test_thirty_six_pictures_play_their_sub_streams_and_open_a_few_at_a_time(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str, scheme: str
) -> None:
    rack.camera(channel)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    asking: set[Request] = set()
    most = 0

    def asked(request: Request) -> None:
        nonlocal most
        if "/open?" in request.url:
            asking.add(request)
            most = max(most, len(asking))

    page.on("request", asked)
    page.on("requestfinished", lambda request: asking.discard(request))
    began = time.monotonic()
    page.goto(f"{portal.url}/live?size=36" + f"&c={channel}" * 36)
    until(page, plays(*range(1, 37)), 60)
    took = time.monotonic() - began
    before = [int(one["frames"]) for one in figures(page)]
    page.wait_for_timeout(6000)
    after = figures(page)
    made = [int(one["frames"]) - was for one, was in zip(after, before, strict=True)]
    print(f"36 pictures stood after {took:.1f} s, {most} asked for at once; frames in 6 s: {sorted(made)}")
    assert most <= 4
    assert min(made) > 30
    assert {one["reconnects"] for one in after} == {"0"}
    assert rack.streams()[channel, "sub"]["viewers"] == 36
    assert rack.streams()[channel, "main"]["viewers"] == 0
    expect(page.locator(".cell-age", has_text="live")).to_have_count(36)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"wall-36-{scheme}.png")


def test_a_whole_wall_comes_back_when_the_media_service_was_killed(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=16" + f"&c={channel}" * 16)
    until(page, plays(*range(1, 17)), 30)
    assert rack.process
    rack.process.kill()
    rack.process.wait(5)
    until(page, lambda all: {one["state"] for one in all} == {"waiting"})
    expect(page.locator(".cell-age", has_text="last frame")).to_have_count(16)
    rack.start()
    until(page, plays(*range(1, 17)), 40)


def test_a_picture_is_moved_by_keyboard_goes_on_playing_and_its_place_is_told(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=9&c={channel}")
    until(page, plays(1))
    picture(page, 1).focus()
    page.keyboard.press("ArrowRight")
    expect(picture(page, 2)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#wall-said")).to_have_text("Gate east is now picture 2 of 9.")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("#wall-said")).to_have_text("Gate east is now picture 5 of 9.")
    expect(picture(page, 5)).to_be_focused()
    assert chosen(page) == ["", "", "", "", channel, "", "", "", ""]
    assert page.get_by_label("Camera of picture 5", exact=True).input_value() == channel
    was = int(until(page, plays(5))[4].get("frames", 0))
    found = until(page, lambda all: int(all[4].get("frames", 0)) > was + 25)
    assert found[4]["reconnects"] == "0"
    page.reload()
    until(page, plays(5))
    page.get_by_label("Camera of picture 5", exact=True).focus()
    picture(page, 5).focus()
    page.keyboard.press("Delete")
    assert chosen(page) == [""] * 9


def test_a_picture_is_moved_by_drag_or_two_clicks_and_cameras_are_dropped_on_the_wall(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=4&c=")
    page.locator("#cameras li", has_text="Gate east").drag_to(picture(page, 3))
    until(page, plays(3))
    picture(page, 3).drag_to(picture(page, 2), source_position={"x": 150, "y": 120})
    until(page, plays(2))
    assert chosen(page) == ["", channel, "", ""]
    page.get_by_role("button", name="Move picture 2").click()
    picture(page, 4).click()
    assert chosen(page) == ["", "", "", channel]
    expect(page.get_by_role("button", name="Move picture 4")).to_have_attribute("aria-pressed", "false")
    until(page, plays(4))


def test_cameras_are_searched_put_in_by_a_click_and_fill_the_wall(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.url}/live?size=4&c=")
    gate, yard = (row.get_attribute("data-channel") or "" for row in page.locator("#cameras li").all())
    for name in ("Yard", "Gate east"):
        page.locator("#cameras").get_by_role("button", name=name).click()
    assert chosen(page) == [yard, gate, "", ""]
    page.get_by_role("button", name="Fill the wall").click()
    assert chosen(page) == [gate, yard, "", ""]
    expect(page.locator("#fill-said")).to_have_text("Cameras 1 to 2 of 2.")
    page.get_by_role("searchbox", name="Find a camera").fill("yar")
    expect(page.locator("#cameras li:visible")).to_have_count(1)
    page.get_by_role("button", name="Fill the wall").click()
    assert chosen(page) == [yard, "", "", ""]
    page.get_by_role("link", name="1", exact=True).click()
    page.get_by_role("button", name="Fill the wall").click()
    page.get_by_role("button", name="Cameras after these").click()
    assert chosen(page) == [yard]
    page.get_by_role("button", name="Cameras before these").click()
    assert chosen(page) == [gate]
    page.get_by_role("link", name="4", exact=True).click()
    page.wait_for_url("**size=4**")
    assert chosen(page)[0] == gate


def test_a_picture_gets_its_list_of_cameras_when_somebody_uses_it(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.url}/live?size=36&c=")
    gate, yard = (row.get_attribute("data-channel") or "" for row in page.locator("#cameras li").all())
    page.get_by_role("button", name="Fill the wall").click()
    second = page.get_by_label("Camera of picture 2", exact=True)
    expect(second.locator("option")).to_have_count(2)
    second.focus()
    expect(second.locator("option")).to_have_count(3)
    assert chosen(page)[:3] == [gate, yard, ""]
    second.select_option(gate)
    assert chosen(page)[:3] == [gate, gate, ""]


def test_a_large_picture_has_the_main_stream_and_a_persons_own_choice_wins(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=4" + f"&c={channel}" * 2 + f"&c={channel}:sub")
    until(page, plays(1, 2, 3))
    picture(page, 1).dblclick(position={"x": 200, "y": 150})
    until(page, plays(1, stream="main"), 25)  # the others stop, because nobody sees them
    assert rack.streams()[channel, "sub"]["viewers"] == 0
    page.screenshot(path=SHOTS / "wall-large.png")
    picture(page, 1).focus()
    page.keyboard.press("Enter")
    until(page, plays(1, 2, 3))
    picture(page, 3).focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(1500)
    assert figures(page)[2]["stream"] == "sub"
    page.get_by_label("Stream of picture 3").select_option("auto")
    until(page, lambda all: all[2]["state"] == "playing" and all[2]["stream"] == "main")
    page.get_by_role("button", name="Picture 3 full screen").click()
    page.wait_for_function("document.fullscreenElement?.matches('.cell')")


@pytest.mark.parametrize("size", [4, 36])
def test_the_whole_wall_fits_the_screen_when_it_is_full(page: Page, portal: Portal, size: int) -> None:
    page.goto(f"{portal.url}/live?size={size}&c=")
    page.get_by_role("button", name="Full screen", exact=True).click()
    page.wait_for_function("document.fullscreenElement?.id === 'wall'")
    last = picture(page, size).bounding_box()
    assert last
    width, height = page.evaluate("[innerWidth, innerHeight]")
    assert width - 12 < last["x"] + last["width"] <= width
    assert height - 12 < last["y"] + last["height"] <= height


def test_streams_stop_where_nobody_looks_and_come_back(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str
) -> None:
    rack.camera(channel)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{portal.url}/live?size=36" + f"&c={channel}" * 36)
    until(page, lambda all: sum(one.get("state") == "playing" for one in all) >= 12)
    playing = [one.get("state") == "playing" for one in figures(page)]
    assert not any(playing[20:])
    page.screenshot(path=SHOTS / "wall-36-phone.png")
    page.evaluate("document.querySelector('.cell:last-child').scrollIntoView()")
    until(page, lambda all: all[35].get("state") == "playing" and all[0].get("state") == "stopped", 30)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    page.evaluate(hide % "true" + "document.dispatchEvent(new Event('visibilitychange'))")
    until(page, plays(), 20)
    expect(page.get_by_text("paused").last).to_be_visible()
    page.evaluate(hide % "false" + "document.dispatchEvent(new Event('visibilitychange'))")
    until(page, lambda all: all[35].get("state") == "playing")


def test_the_picture_that_stands_is_saved_as_a_file(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str, tmp_path: Path
) -> None:
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=36&c={channel}")
    until(page, plays(1))
    picture(page, 1).hover()
    page.screenshot(path=SHOTS / "wall-tools.png")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Save picture 1", exact=True).click()
    assert coming.value.suggested_filename.startswith("Gate east 20")
    coming.value.save_as(tmp_path / "one.jpg")
    taken = (tmp_path / "one.jpg").read_bytes()
    assert taken[:3] == b"\xff\xd8\xff"
    assert len(taken) > 5000  # the camera's snow; a black picture has less than 1000
    picture(page, 1).focus()
    with page.expect_download():
        page.keyboard.press("s")


def test_a_layout_opens_again_after_a_new_login_and_for_nobody_else(
    rack: mts_rack.Rack, page: Page, portal: Portal, channel: str, other: None,
    findings: Callable[[Page], list[str]],
) -> None:  # fmt: skip
    rack.camera(channel)
    page.goto(f"{portal.url}/live?size=9&c=&c={channel}:main")
    save(page, "Night <b>shift", first=True)
    expect(page).to_have_url(f"{portal.url}/live?layout={opened(page)}")
    page.get_by_label("Camera of picture 1", exact=True).select_option(channel)
    expect(page.get_by_text("changed", exact=True)).to_be_visible()
    again(page, portal, NAME)
    page.goto(f"{portal.url}/live")
    until(page, plays(2, stream="main"))
    assert chosen(page) == ["", channel, *[""] * 7]
    page.locator("#layouts summary").click()
    page.screenshot(path=SHOTS / "wall-layouts.png")
    assert findings(page) == []
    mine = opened(page)
    again(page, portal, OTHER)
    page.goto(f"{portal.url}/live")
    page.locator("#layouts summary").click()
    expect(page.get_by_text("You have no layouts yet.")).to_be_visible()
    page.goto(f"{portal.url}/live?layout={mine}")
    expect(page.get_by_role("heading", name="There is no such layout.")).to_be_visible()


def test_layouts_are_replaced_by_name_marked_and_removed(page: Page, portal: Portal, channel: str) -> None:
    page.goto(f"{portal.url}/live?size=4&c={channel}")
    save(page, "Day", first=True)
    page.get_by_label("Camera of picture 2", exact=True).select_option(channel)
    save(page, "Day", first=False)
    save(page, "Evening", first=True)
    page.reload()
    page.locator("#layouts summary").click()
    rows = page.get_by_role("list", name="Your layouts").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).not_to_contain_text("opens first")
    expect(rows.nth(1)).to_contain_text("opens first")
    page.get_by_role("button", name="Remove the layout Evening").click()
    dialog = page.get_by_role("dialog", name="Remove the layout “Evening”?")
    page.screenshot(path=SHOTS / "wall-remove.png")
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).to_be_hidden()
    page.locator("#layouts summary").click()
    expect(rows).to_have_count(1)
    assert chosen(page) == [channel, channel, "", ""]
    page.get_by_role("link", name="Day").click()
    page.wait_for_url("**layout=*")
    assert chosen(page) == [channel, channel, "", ""]


def test_a_layout_that_cannot_be_kept_says_why_and_the_wall_stays(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.url}/live?size=4&c=")
    page.locator("#layouts summary").click()
    page.get_by_role("button", name="Save this wall …").click()
    dialog = page.get_by_role("dialog", name="Save this wall")
    page.get_by_label("Name", exact=True).fill("  ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Its name needs 1 to 64 visible characters.")
    page.screenshot(path=SHOTS / "wall-save.png")


def save(page: Page, name: str, *, first: bool) -> None:
    """Save the wall as a person does."""
    page.locator("#layouts summary").click()
    page.get_by_role("button", name="Save this wall …").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Open it first, whenever I come to Live").set_checked(first)
    dialog = page.get_by_role("dialog", name="Save this wall")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#layouts summary")).to_contain_text(name)


def opened(page: Page) -> str:
    return page.locator("#layouts > details").get_attribute("data-opened") or ""


def again(page: Page, portal: Portal, name: str) -> None:
    """Log out, and in under this name."""
    page.locator(".bar .menu summary").click()
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{portal.url}/login")
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{portal.url}/")
