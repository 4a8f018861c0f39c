"""The page of a plan: painted by mouse and keys, kept to the minute; button and locks on a real DSS_SS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.media.plans import CONTINUOUS, EVENT, WeekSpan
from services.smc import audit, devices, models, recordings
from tests.portal.recordings import SHOTS, cameras
from tests.portal.test_playback import store  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    import ss_rack
    from playwright.sync_api import Page

    from services.media.plans import Plan
    from tests.portal.process import Portal
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor


def plan(site: Site, channel: str) -> Plan:
    """What the database says."""
    with site.platform.session() as session:
        return devices.plan_of(session.get_one(models.Channel, channel))


def fields(**changed: str) -> dict[str, str]:
    """The form as it is sent."""
    return {"mode": "weekly", "pre": "5", "post": "60"} | changed


def test_a_plan_is_kept_to_the_minute_told_to_the_node_and_audited(
    site: Site, admin: Visitor, channel: str
) -> None:
    sent = fields(**{"continuous-0": "08:00-12:00, 13:30-24:00", "event-6": "0:00 to 0:07"})
    assert admin.post(f"/plans/{channel}", sent).status_code == 303
    found = plan(site, channel)
    assert found.week[0] == (WeekSpan(480, 720, CONTINUOUS), WeekSpan(810, 1440, CONTINUOUS))
    assert found.week[6] == (WeekSpan(0, 7, EVENT),)
    assert (found.mode, found.pre, found.post) == ("weekly", 5, 60)
    with site.platform.session() as session:
        (row,) = (
            c for d in devices.assignment(session, "main-a") for c in d["channels"] if c["id"] == channel
        )
        assert audit.listing(session)[0].action == "recording.plan"
    assert row["record"] == "continuous"
    assert row["plan"]["week"][6] == [{"start": 0, "end": 7, "kind": "event"}]


def test_the_recorded_streams_are_kept_told_to_the_node_and_forgotten_with_the_device(
    site: Site, admin: Visitor
) -> None:
    with site.platform.session() as session:
        new = devices.NewDahua("Yard", "main-a", "198.18.1.9", "a", "b")
        device = devices.add(session, new, site.account)
        channel = device.channels[0].id
    for streams in ("both", "sub", "main", "both"):
        assert admin.post(f"/plans/{channel}", fields(mode="continuous", streams=streams)).status_code == 303
        with site.platform.session() as session:
            (told,) = (d for d in devices.assignment(session, "main-a") if d["id"] == device.id)
        assert told["channels"][0]["plan"]["streams"] == streams
        page = admin.get(f"/plans/{channel}").get_data(as_text=True)
        assert f'name="streams" value="{streams}" checked' in page
    # Another mode alone leaves the streams as they are.
    with site.platform.session() as session:
        recordings.set_plan(session, channel, "event", site.account)
    assert (plan(site, channel).mode, plan(site, channel).streams) == ("event", "both")


def test_a_camera_of_one_stream_is_not_planned_for_another(site: Site, admin: Visitor) -> None:
    (channel,) = cameras(site, 1)
    answer = admin.post(f"/plans/{channel}", fields(mode="continuous", streams="both"))
    assert answer.status_code == 422
    assert "The camera has no sub stream." in answer.get_data(as_text=True)
    assert "this camera has no other" in admin.get(f"/plans/{channel}").get_data(as_text=True)
    assert plan(site, channel).mode == "off"


WRONG = [
    ({"continuous-2": "8-9"}, "Wednesday: &#39;8-9&#39; is not of the form 08:00-12:00"),
    ({"event-0": "09:00-08:00"}, "does not end after its beginning"),
    ({"event-0": "09:00-24:01"}, "by 24:00"),
    ({"event-0": "09:60-10:00"}, "more than 59 minutes"),
    ({"pre": "31"}, "pre must be 0 to 30 seconds"),
    ({"post": ""}, "post is not a number"),
    ({"mode": "sometimes"}, "none of off, continuous"),
    ({"streams": "third"}, "none of main, sub, both"),
]


def test_a_plan_that_is_none_is_shown_again_with_what_is_wrong(
    site: Site, admin: Visitor, channel: str
) -> None:
    for wrong, why in WRONG:
        answer = admin.post(f"/plans/{channel}", fields(**{"continuous-5": "10:00-11:00"}) | wrong)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 422
        assert why in text
        assert "10:00-11:00" in text
    assert plan(site, channel).mode == "off"


def test_a_week_is_painted_by_mouse_and_keys_in_both_themes(
    site: Site, page: Page, portal: Portal, channel: str, findings: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{portal.url}/plans/{channel}")
    cell = page.get_by_role("button", name="Monday 00:00")
    cell.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("[name=brush][value=event]").check()
    page.get_by_label("Tuesday 23:00").click()
    page.get_by_label("Sunday, on events").fill("06:15-07:45")
    expect(page.get_by_label("Monday, always")).to_have_value("00:00-02:00")
    expect(page.get_by_label("Tuesday, on events")).to_have_value("23:00-24:00")
    expect(page.get_by_label("Sunday 06:00, mixed")).to_be_visible()
    SHOTS.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.bsTheme = '{theme}'")
        # What the header lies over while the page is scrolled is no smaller target for it.
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=SHOTS / f"plan-{theme}.png", full_page=True)
        assert findings(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Save the plan").click()
    page.wait_for_load_state()
    assert plan(site, channel).mode == "weekly"
    assert plan(site, channel).week[6] == (WeekSpan(375, 465, EVENT),)
    assert page.get_by_label("Monday, always").input_value() == "00:00-02:00"


@pytest.mark.full
def test_the_button_and_a_lock_reach_the_node_and_come_back(
    page: Page,
    portal: Portal,
    channel: str,
    store: ss_rack.Store,  # noqa: F811
    site: Site,
) -> None:
    page.goto(f"{portal.url}/plans/{channel}")
    expect(page.get_by_text("Recording, as the plan says.")).to_be_visible()
    page.get_by_role("button", name="Record now").click()
    expect(page.get_by_role("button", name="Stop recording by hand")).to_be_visible()
    assert store.ask(f"/recording/{channel}")["manual"] is True
    page.goto(f"{portal.url}/playback?c={channel}")
    page.locator("#desk video[data-seek-ms]").first.wait_for()
    page.get_by_role("button", name="Clip starts here").click()
    page.get_by_role("button", name="Clip ends here").click()
    page.get_by_label("Why it is locked").fill("case 7")
    page.get_by_role("button", name="Lock marked span").click()
    expect(page.locator("#lock-said")).to_contain_text("nothing of this span is deleted")
    now = time.time()
    assert [one["locked"] for one in store.timeline(channel, now - 600, now)["intervals"]].count(True) == 1
    page.goto(f"{portal.url}/plans/{channel}")
    expect(page.get_by_text("case 7")).to_be_visible()
    page.screenshot(path=SHOTS / "plan-locks.png", full_page=True)
    page.get_by_role("button", name="Unlock from").click()
    expect(page.get_by_text("Nothing is locked")).to_be_visible()
    with site.platform.session() as session:
        done = [one.action for one in audit.listing(session)]
    assert {"recording.start", "recording.lock", "recording.unlock"} <= set(done)
