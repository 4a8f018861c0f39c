"""The wizard and "Back up now" in real Chromium, on a deployed site behind a real router."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lab import backup, scenario
from lab.admin import Admin, until
from lab.edge import EDGE, INVENTORY, WAN_MAIN, WAN_SUB, Edge, equip
from lab.fixtures import LAB, LISTEN, PASSWORD, alone, deploy
from lab.site import MAIN, SUB
from services.cli import backup as backup_verb

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

ELSEWHERE = "203.0.113.60"
TOLD = {
    "443/tcp": "Reached", "9102/tcp": "Reached", "9322/tcp": "Reached",
    "80/tcp": "Answers", "9100/tcp": "Answers", "9320/tcp": "Answers",
    "9103/udp": "Not tested",
}  # fmt: skip
"""What the test of the ports says of each that is mapped for a node."""


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    """Main, a sub and a router that maps both, with backups switched on; no camera is needed."""
    key = tmp_path_factory.mktemp("keys") / "backup.key"
    backup_verb.make(key)
    with alone(LAB, request.config.getoption("--keep-lab")) as lab:
        lab.up(INVENTORY)
        made = Edge(lab, INVENTORY, LISTEN)
        equip(made, bundle)
        deploy(made, *backup.options(key))
        yield made


@pytest.fixture
def admin(site: Edge) -> Admin:
    """The same administrator as a program."""
    entered = site.admin()
    entered.login(scenario.USER, PASSWORD)
    return entered


def plan(page: Page, address: str) -> None:
    """Walk the wizard to its list."""
    page.goto("/dmz")
    page.get_by_role("button", name="Next: the address").click()
    page.get_by_label("Mapping IP").fill(address)
    page.get_by_label("Address inside").fill("198.18.0.254")
    page.get_by_label("Outside interface").fill("wan0")
    page.get_by_role("button", name="Next: the list").click()


def test_the_wizard_makes_the_very_file_that_the_deployment_made(page: Page, site: Edge) -> None:
    plan(page, WAN_MAIN)
    for row in (f"{WAN_MAIN}:443/tcp", f"{WAN_SUB}:9100/tcp"):
        expect(page.get_by_role("table", name="").first).to_contain_text(row)
    with page.expect_download() as saved:
        page.get_by_label("Download dmz.nft").click()
    assert saved.value.path().read_text() == site.on(EDGE, "cat", "/etc/dss/dmz.nft")


def test_the_test_reaches_every_mapped_port_through_the_router_and_says_when_it_is_closed(
    page: Page, site: Edge
) -> None:
    plan(page, WAN_MAIN)
    page.get_by_role("link", name="Next: the test").click()
    page.get_by_role("button", name="Test now").click()
    expect(page.get_by_role("button", name="Test again")).to_be_visible()
    said = {r.locator("td").nth(0).inner_text(): r.locator("td").nth(3).inner_text()
            for r in page.locator("tbody tr").all()}  # fmt: skip
    wanted = {f"{address}:{port}": word for address in (WAN_MAIN, WAN_SUB) for port, word in TOLD.items()}
    assert {port: words.splitlines()[0] for port, words in said.items()} == wanted
    site.on(EDGE, "nft", "delete", "table", "inet", "dss_dmz")
    try:
        page.get_by_role("button", name="Test again").click()
        expect(page.locator("tbody")).to_contain_text(re.compile("Refused|No answer|Somebody else"))
        assert "Reached" not in page.locator("tbody").inner_text()
    finally:
        assert site.router().code == 0


def test_applying_sets_the_mapping_ip_until_it_is_undone_and_leaves_the_backups_alone(
    page: Page, site: Edge, admin: Admin
) -> None:
    plan(page, ELSEWHERE)
    page.get_by_role("link", name="Next: the test").click()
    page.get_by_role("link", name="Next: apply").click()
    page.get_by_role("button", name="Set the mapping IP").click()
    expect(page.locator("#strip")).to_contain_text("undone in", timeout=60_000)
    assert json.loads(site.on(MAIN, "cat", "/etc/dss/node.json"))["mapping_ip"] == ELSEWHERE
    page.get_by_role("button", name="Undo now").click()

    def undone() -> bool:
        found = admin.get("/tasks")["tasks"]
        return next(one["state"] for one in found if one["kind"] == "change") == "undone"

    until(60, "undoing the change", undone)
    assert json.loads(site.on(MAIN, "cat", "/etc/dss/node.json"))["mapping_ip"] == WAN_MAIN
    assert site.on(MAIN, "systemctl", "is-active", "dss-backup.timer").strip() == "active"


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_back_up_now_writes_a_file_on_the_host_and_its_log_says_so(
    page: Page, site: Edge, admin: Admin, host: str
) -> None:
    page.goto("/backups")
    page.get_by_label(f"Back up now: {host}").click()
    page.wait_for_url(f"**/tasks/{host}/backup/*")
    log = page.get_by_role("log", name="Log of this task")
    expect(log).to_contain_text("It is complete.", timeout=60_000)
    expect(page.locator("#task")).to_contain_text(scenario.USER)
    (told,) = [one for one in admin.get("/backups") if one["node"] == host]
    file = told["runs"][0]["file"]
    listed = site.on(host, "stat", "-c", "%s %a %U", f"{backup.FOLDER}/{file}").split()
    assert listed == [str(told["runs"][0]["bytes"]), "600", "root"]
    assert [one["file"] for one in told["kept"]] == [file]
    assert told["scheduled"]
    assert told["next"]
    assert told["trouble"] == ""


def test_a_backup_that_fails_stands_on_the_home_page_until_one_succeeds(
    page: Page, site: Edge, admin: Admin
) -> None:
    site.on(SUB, "sh", "-c", f"mount -t tmpfs -o size=4k none {backup.FOLDER}")
    try:
        admin.post(f"/nodes/{SUB}/backups")
        page.goto("/")
        expect(page.locator("#attention")).to_contain_text("No space left on device", timeout=30_000)
    finally:
        site.on(SUB, "umount", backup.FOLDER)
    admin.post(f"/nodes/{SUB}/backups")
    expect(page.locator("#attention")).not_to_contain_text("backup", timeout=30_000)


def test_a_backup_that_is_killed_is_told_as_failed(site: Edge, admin: Admin) -> None:
    site.on(SUB, "sh", "-c", "mkdir -p /run/systemd/system/dss-backup.service.d")
    slow = "[Service]\\nExecStartPre=/bin/sleep 30\\n"
    place = "/run/systemd/system/dss-backup.service.d/slow.conf"
    site.on(SUB, "sh", "-c", f"printf '{slow}' > {place} && systemctl daemon-reload")
    try:
        admin.post(f"/nodes/{SUB}/backups")
        site.on(SUB, "systemctl", "kill", "-s", "KILL", "dss-backup.service")

        def failed() -> bool:
            return bool(admin.get(f"/tasks/{SUB}/backup/{newest(admin)}")["state"] == "failed")

        until(20, "the end of the killed backup", failed)
    finally:
        site.on(SUB, "sh", "-c", f"rm {place} && systemctl daemon-reload")


def newest(admin: Admin) -> str:
    """Id of the sub's last run."""
    return str(next(one for one in admin.get("/backups") if one["node"] == SUB)["runs"][0]["id"])


def test_releases_and_orders_are_told_by_the_nodes_and_outlive_portal_and_cache(
    page: Page, site: Edge, admin: Admin
) -> None:
    for one in admin.get("/releases"):
        (release,) = one["releases"]
        assert release["active"]
        assert release["date"]
        assert release["bytes"] > 50 * 1024**2
        assert one["switches"][0]["kind"] == "install"
    admin.post(f"/nodes/{SUB}/services/mts/restart")
    until(30, "the end of the restart", lambda: admin.get("/tasks")["tasks"][0]["state"] == "done")
    site.on(MAIN, "systemctl", "restart", "redis-server", "dss-portal")
    again = site.admin()
    until(30, "the portal's return", lambda: _logged_in(again))
    first = again.get("/tasks")["tasks"][0]
    assert (first["title"], first["node"], first["by"]) == ("Restart DSS_MTS", SUB, scenario.USER)
    assert first["log"][-1]["text"] == "All is done."


def _logged_in(admin: Admin) -> bool:
    try:
        admin.login(scenario.USER, PASSWORD)
    except (OSError, ValueError, RuntimeError):
        return False
    return True


def test_what_listens_beside_the_matrix_is_shown_and_main_reaches_what_it_should(
    page: Page, site: Edge, admin: Admin
) -> None:
    tried = {(one["node"], one["service"], one["name"]): one["state"] for one in admin.get("/ports/reach")}
    for node in (MAIN, SUB):
        assert tried[node, "nginx", "https"] == "reached"
        assert tried[node, "mts", "rtsps"] == "reached"
    unlisted = {one["node"]: one["unlisted"] for one in admin.get("/ports")}
    assert [row for rows in unlisted.values() for row in rows if not row["local"]] == []
    program = "import socket, time; s = socket.create_server(('', 7999)); time.sleep(60)"
    site.on(SUB, "systemd-run", "--unit=stranger", "python3", "-c", program)

    def seen() -> bool:
        return any(row["port"] == 7999 for one in admin.get("/ports") for row in one["unlisted"] or [])

    try:
        until(20, "the listener of the stranger", seen)
        page.goto(f"/ports?node={SUB}")
        expect(page.get_by_label("Listens, but is not in the matrix")).to_contain_text("7999")
    finally:
        site.on(SUB, "systemctl", "stop", "stranger")
