"""The page of exports: who sees it, what it shows of each state, ordering from the day view, downloading."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from services.smc import audit, models
from tests.portal import recordings
from tests.portal.agent import part
from tests.portal.agent_server import serving
from tests.portal.recordings import SHOTS, ss_rack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.portal.process import Portal
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

NOON = 1_790_000_000_000


@pytest.fixture
def recorder(site: Site) -> Iterator[dict[str, object]]:
    """Main's DSS_SS, which keeps what is ordered waiting; the exports it has."""
    port = json.loads((site.platform.files.etc / "services" / "ss.json").read_text())["ports"]["http"]
    with serving(site.agents["main-a"], "127.0.0.1", port):
        yield dict(site.agents["main-a"].exports)


def ordered(admin: Visitor, channel: str, **changes: object) -> int:
    form = {"c": channel, "start": NOON, "end": NOON + 60_000, "format": "mp4"} | changes
    return admin.post("/exports", {key: str(value) for key, value in form.items()}, "/exports").status_code


def test_an_export_is_ordered_cancelled_and_deleted(
    admin: Visitor, site: Site, recorder: dict[str, object], channel: str
) -> None:
    assert "No exports yet" in admin.get("/exports").get_data(as_text=True)
    assert ordered(admin, channel) == 200
    (id,) = site.agents["main-a"].exports
    text = admin.get("/exports/table").get_data(as_text=True)
    assert "Gate east" in text
    assert "Queued" in text
    assert admin.post(f"/exports/{id}/cancel", page="/exports").status_code == 303
    assert "Cancelled" in admin.get("/exports/table").get_data(as_text=True)
    assert admin.post(f"/exports/{id}/remove", page="/exports").status_code == 303
    assert site.agents["main-a"].exports == {}
    assert "No exports yet" in admin.get("/exports/table").get_data(as_text=True)


def test_a_wrong_order_says_what_is_wrong_and_is_sent_to_nobody(
    admin: Visitor, site: Site, recorder: dict[str, object], channel: str
) -> None:
    for wrong in ({"start": ""}, {"end": NOON}, {"c": ""}, {"format": "avi"}, {"end": NOON + 90_000_000}):
        assert ordered(admin, channel, **wrong) in {404, 422}, wrong
    assert site.agents["main-a"].exports == {}


def test_a_download_gets_a_token_of_its_own_each_time(
    admin: Visitor, site: Site, recorder: dict[str, object], channel: str
) -> None:
    ordered(admin, channel)
    (id,) = site.agents["main-a"].exports
    assert admin.post(f"/exports/{id}/main-a/download", page="/exports").status_code == 409
    site.agents["main-a"].exports[id] |= {"state": "done", "name": "x.mp4", "size": 5, "sha256": "a" * 64}
    ways = [admin.post(f"/exports/{id}/main-a/download", page="/exports") for _ in range(2)]
    assert [one.status_code for one in ways] == [303, 303]
    first, second = (one.headers["Location"] for one in ways)
    assert first.startswith(f"/ss/export/{id}?token=")
    assert first != second
    with site.platform.session() as session:
        assert [one.action for one in audit.listing(session, limit=2)] == ["export.download"] * 2


def test_who_may_only_look_sees_no_exports(admin: Visitor, site: Site) -> None:
    with site.platform.session() as session:
        session.query(models.Account).update({"role": "operator"})
        session.commit()
    assert admin.get("/exports").status_code == 403
    text = admin.get("/playback").get_data(as_text=True)
    assert "Download clip" in text
    assert 'data-opens="export-order"' not in text


def shown(site: Site, channel: str) -> None:
    """An export in each state, one of them on two nodes."""
    states = {
        "queued": {}, "running": {"written": 430}, "verifying": {"written": 1000},
        "failed": {"why": "The disk cannot take it: No space left on device."},
        "done": {"size": 734_003_200, "files": 3, "missing": 75.0, "sha256": "9f" * 32, "name": "a.zip"},
    }  # fmt: skip
    with site.platform.session() as session:
        row = session.query(models.Export).one()
        for n, (state, more) in enumerate(states.items()):
            id = f"{n:016x}"
            names = [channel] if n else [channel, "elsewhere"]
            session.add(models.Export(
                id=id, ordered_by="admin", ordered_at=row.ordered_at, format="mp4", start_at=row.start_at,
                end_at=row.end_at, channels=[
                    {"channel": name, "name": f"Gate {name[:5]}", "node": ("main-a", "sub-1")[m]}
                    for m, name in enumerate(names)
                ],
            ))  # fmt: skip
            site.agents["main-a"].exports[id] = part(id, state, **more)
        session.commit()


@pytest.mark.full
def test_every_state_is_shown_and_nothing_is_found_in_light_and_dark(
    page: Page, portal: Portal, site: Site, recorder: dict[str, object], channel: str,
    findings: Callable[[Page], list[str]],
) -> None:  # fmt: skip
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(f"{portal.url}/exports")
    page.get_by_role("button", name="New export").click()
    page.get_by_label("Gate east").check()
    page.get_by_role("dialog").get_by_role("button", name="Export").click()
    page.get_by_text("Queued").wait_for()
    shown(site, channel)
    page.get_by_text("No space left").wait_for()
    page.get_by_text("Its time was over").wait_for()
    SHOTS.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.evaluate("theme => { localStorage.setItem('dss-theme', theme); }", theme)
        page.reload()
        page.get_by_text("No space left").wait_for()
        page.screenshot(path=SHOTS / f"exports-{theme}.png", full_page=True)
        assert findings(page) == []
        page.get_by_role("button", name="New export").click()
        page.screenshot(path=SHOTS / f"exports-dialog-{theme}.png")
        assert findings(page) == []
    assert wrong == []


@pytest.fixture
def store(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str
) -> Iterator[ss_rack.Store]:
    """Main's recorder with one camera."""
    with recordings.store(site, tmp_path, monkeypatch, {"file_seconds": 5}) as made:
        made.counting(channel)
        made.wait_bytes(channel)
        time.sleep(12)
        yield made


@pytest.mark.full
def test_a_span_marked_on_the_timeline_is_exported_and_downloaded_whole(
    page: Page, portal: Portal, store: ss_rack.Store, channel: str, tmp_path: Path
) -> None:
    page.goto(f"{portal.url}/playback?c={channel}")
    page.locator("#desk video[data-seek-ms]").first.wait_for()
    page.get_by_role("button", name="Clip starts here").click()
    page.keyboard.press("k")
    time.sleep(6)
    page.keyboard.press("k")
    page.get_by_role("button", name="Clip ends here").click()
    page.get_by_role("button", name="Export", exact=True).click()
    page.screenshot(path=SHOTS / "exports-from-playback.png")
    page.get_by_role("dialog").get_by_role("button", name="Export").click()
    page.wait_for_url(f"{portal.url}/exports")
    page.get_by_text("Done").wait_for()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    caught.value.save_as(tmp_path / "export.mp4")
    found = ss_rack.numbers(tmp_path / "export.mp4")
    assert len(found) > 75
    assert ss_rack.losses(found) == []
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("No exports yet").wait_for()
    assert list((store.recordings / "_exports").iterdir()) == []
