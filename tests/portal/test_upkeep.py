"""Backups, releases and tasks, as an administrator meets them in the portal."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.smc import backups, models
from tests.portal.visitor import newcomer

if TYPE_CHECKING:
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

DAY = 24 * 3600.0


def test_backing_up_now_leads_to_its_log_and_says_who(admin: Visitor, site: Site) -> None:
    answer = admin.post("/backups/main-a", page="/backups")
    run = site.agents["main-a"].upkeep.runs[0]
    assert (answer.status_code, run.by) == (303, "admin")
    assert answer.headers["Location"] == f"/tasks/main-a/backup/{run.id}"
    page = admin.get(answer.headers["Location"]).text
    assert "Begun for admin." in page
    assert "Running" in page
    assert "Backup of main-a" in admin.get("/tasks/strip").text
    assert "Watch it" in admin.get("/backups").text
    run.log.append({"at": time.time(), "text": "The disk <b>is</b> full."})
    run.state, run.ended, run.why = "failed", time.time(), "There is no room."
    part = admin.get(f"{answer.headers['Location']}/part?poll=1").text
    assert "The disk &lt;b&gt;is&lt;/b&gt; full." in part
    assert "There is no room." in part
    assert "There is no room." in admin.get("/tasks/strip").text


def test_a_server_without_backups_refuses_with_its_remedy(admin: Visitor) -> None:
    answer = admin.post("/backups/sub-1", page="/backups")
    assert answer.status_code == 409
    assert "The inventory has no dss_backup_key." in answer.text


def test_an_operator_sees_backups_and_makes_none(admin: Visitor, site: Site) -> None:
    with site.platform.session() as session:
        session.query(models.Account).update({"role": "operator"})
        session.commit()
    assert "Back up now" not in admin.get("/backups").text
    assert admin.post("/backups/main-a", page="/live").status_code == 403
    assert len(site.agents["main-a"].upkeep.runs) == 1


def test_a_failed_or_late_backup_stands_on_the_home_page(admin: Visitor, site: Site) -> None:
    upkeep = site.agents["main-a"].upkeep
    good = upkeep.runs[0]
    site.tell()
    assert "backup" not in admin.get("/").text.split('id="attention"')[1].split("</section>")[0].lower()
    upkeep.runs.insert(0, replace(good, id="e" * 32, state="failed", why="No room on the disk."))
    site.tell()
    assert "main-a: The last backup failed: No room on the disk." in admin.get("/").text
    upkeep.runs[:] = [replace(good, began=good.began - 3 * DAY, ended=good.ended - 3 * DAY)]
    site.tell()
    assert "older than two periods" in admin.get("/").text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, ""),
        ({"configured": False}, ""),
        ({"configured": True, "scheduled": True, "period": DAY, "since": 1.9 * DAY, "good": None}, ""),
        ({"configured": True, "scheduled": True, "period": DAY, "since": 0.5 * DAY, "good": None},
         "No backup was made yet."),
        ({"configured": True, "scheduled": False, "period": DAY, "good": 2.9 * DAY}, "timer does not stand"),
        ({"configured": True, "scheduled": True, "period": DAY, "good": 1.1 * DAY}, ""),
    ],
)  # fmt: skip
def test_backups_need_a_person_only_when_something_is_wrong(said: dict[str, object], words: str) -> None:
    found = backups.trouble(said, now=3 * DAY)
    assert words in found
    assert bool(found) == bool(words)


def test_tasks_are_filtered_by_kind_and_outcome(admin: Visitor) -> None:
    assert "Restart DSS_MTS" not in admin.get("/tasks?kind=change").text
    failed = admin.get("/tasks?show=failed").text
    assert "mts.rtsp to port 19100" in failed
    assert "Restart DSS_MTS" not in failed
    assert "None is of this kind." in admin.get("/tasks?show=open").text


def test_tasks_outlive_the_portal_and_the_cache(admin: Visitor, site: Site) -> None:
    path = admin.post("/backups/main-a", page="/backups").headers["Location"]
    with site.platform.redis.client() as redis:
        redis.flushall()
    site.tell()
    again = newcomer()
    assert again.login().status_code == 303
    assert "Begun for admin." in again.get(path).text


def test_a_node_that_cannot_be_asked_is_named_beside_the_tasks_of_the_others(admin: Visitor) -> None:
    text = admin.get("/tasks").text
    assert "sub-2 does not report." in text
    assert "Restart DSS_MTS" in text


@pytest.mark.parametrize("path", ["/backups", "/releases", "/tasks"])
def test_a_node_whose_answer_cannot_be_read_does_not_hide_the_others(
    admin: Visitor, site: Site, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    agent = site.agents["sub-1"]
    known = admin.get(path).text
    monkeypatch.setattr(agent, "answer", lambda *_: (200, {"of": "another release"}))
    answer = admin.get(path)
    assert answer.status_code == 200
    assert "The answer of node sub-1 cannot be read." in answer.text
    assert known.count("main-a") == answer.text.count("main-a")


@pytest.mark.parametrize("path", ["/tasks/main-a/backup/none", "/tasks/nobody/backup/x", "/tasks/main-a/x/y"])
def test_an_unknown_task_is_not_there(admin: Visitor, path: str) -> None:
    assert admin.get(path).status_code == 404


def test_orders_to_services_carry_the_name_of_the_account(admin: Visitor, site: Site) -> None:
    admin.post("/services/main-a/mts/restart", page="/services/main-a")
    assert site.agents["main-a"].ordered_by == ["admin"]


def test_what_listens_beside_the_matrix_is_shown_and_what_the_matrix_has_can_be_tried(admin: Visitor) -> None:
    text = admin.get("/ports?node=sub-1").text
    assert "every address" in text
    assert "8888" not in admin.get("/ports?node=main-a").text
    tried = admin.get("/ports?reach=1&node=sub-1&show=in").text
    assert "From main" in tried
    assert "Refused" in tried
