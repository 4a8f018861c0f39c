"""The service manager's orders, refusals, memory strip and logs."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from services.smc import audit

if TYPE_CHECKING:
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

GB = 1024**3


def test_one_service_is_restarted_and_the_task_is_seen_on_every_page(admin: Visitor, site: Site) -> None:
    done = admin.post("/services/main-a/mts/restart")
    assert (done.status_code, done.headers["Location"]) == (303, "/services/main-a")
    assert site.agents["main-a"].orders == [("mts", "restart")]
    assert "Restart DSS_MTS on main-a" in admin.get("/devices").get_data(as_text=True)
    with site.platform.session() as session:
        assert any(one.action == "service.restart" and one.actor == "admin" for one in audit.listing(session))


def test_a_failed_service_of_a_sub_is_started_through_mutual_tls(admin: Visitor, site: Site) -> None:
    assert "Start DSS_MTS" in admin.get("/services/sub-1").get_data(as_text=True)
    admin.post("/services/sub-1/mts/start")
    assert site.agents["sub-1"].orders == [("mts", "start")]
    assert 'aria-label="Start DSS_MTS"' not in admin.get("/services/sub-1").get_data(as_text=True)


def test_all_services_stop_only_after_the_name_of_the_server_was_typed(admin: Visitor, site: Site) -> None:
    for typed in ("", "main", "MAIN-A", "all"):
        assert admin.post("/services/main-a/all/stop", {"confirm": typed}).status_code == 422
    assert site.agents["main-a"].orders == []
    assert admin.post("/services/main-a/all/stop", {"confirm": "main-a"}).status_code == 303
    assert site.agents["main-a"].orders == [("all", "stop")]


def test_orders_that_do_not_exist_reach_nobody(admin: Visitor, site: Site) -> None:
    for path in (
        "/services/main-a/mts/destroy",
        "/services/main-a/..%2f..%2fetc/start",
        "/services/no/mts/stop",
    ):
        assert admin.post(path).status_code == 404, path
    assert site.agents["main-a"].orders == []


def test_memory_strip_says_what_is_withheld_and_why(admin: Visitor, site: Site) -> None:
    main = site.agents["main-a"]
    main.available = int(3.1 * GB)
    main.services[-1] |= {"state": "Stopped", "reason": "Withheld at start: 3.1 GB available, 4 GB needed"}
    site.tell()
    text = admin.get("/services/main-a").get_data(as_text=True)
    assert "3.1 GB of 16 GB memory available." in text
    assert "Withheld for want of memory: DSS_MTS." in text
    main.available = 2 * GB
    site.tell()
    assert "2 GB" in admin.get("/services/main-a").get_data(as_text=True)


def test_log_lines_are_shown_as_text(admin: Visitor) -> None:
    text = admin.get("/services/main-a?log=mts").get_data(as_text=True)
    assert "line 49 &lt;b&gt;of&lt;/b&gt; the log" in text
    assert "Last 50 log lines of DSS_MTS" in text
    assert "Last 50" not in admin.get("/services/main-a?log=../x").get_data(as_text=True)


def test_a_server_that_does_not_report_is_shown_by_its_last_beat_and_said_so(
    admin: Visitor, site: Site
) -> None:
    site.agents["sub-1"].beats = False
    with site.platform.redis.client() as redis:
        redis.pexpire("beat:sub-1", 30_000 - 15_000)
        begun = time.monotonic()
    text = admin.get("/services/sub-1").get_data(as_text=True)
    assert "sub-1 does not report." in text
    assert "DSS_MTS" in text
    assert "Restart DSS_NGINX" not in text
    home = admin.get("/").get_data(as_text=True)
    said = re.search(r"sub-1 has not been heard of for (\d+) s", home)
    assert said
    assert 15 <= int(said[1]) <= 16 + time.monotonic() - begun
    assert "stale" in admin.get("/topology").get_data(as_text=True)


def test_port_numbers_are_those_the_server_was_deployed_with(admin: Visitor, site: Site) -> None:
    for row in site.agents["main-a"].ports:
        if (row["service"], row["name"]) == ("mts", "rtsp"):
            row["port"] = 19100
    from portal.manager import numbers

    numbers._known.clear()
    assert "19100" in admin.get("/services/main-a").get_data(as_text=True)
    numbers._known.clear()


def test_csv_of_the_port_matrix_holds_the_rows_of_the_filter(admin: Visitor) -> None:
    answer = admin.get("/ports.csv?show=map&node=main-a")
    lines = answer.get_data(as_text=True).splitlines()
    assert answer.mimetype == "text/csv"
    assert lines[0].startswith("host,role,service,name,port,protocol,direction,from,to")
    assert all(line.startswith("main-a,main,") for line in lines[1:])
    assert any(",443," in line for line in lines)
    assert not any(",3306," in line for line in lines)
