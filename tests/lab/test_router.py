"""A site behind a real router: reached from outside through the mapped ports, and through nothing else."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from lab import scenario
from lab.admin import until
from lab.edge import EDGE, INVENTORY, WAN_MAIN, WAN_SUB, Edge, equip
from lab.fixtures import PASSWORD, ROOT, alone, settle
from lab.site import SUB
from tests import browser

pytestmark = pytest.mark.full

OUTSIDE = "wan-1"
LISTEN = "127.0.0.1:18449"
MAPPED = [80, 443, 9100, 9102, 9320, 9322]


@pytest.fixture(scope="module")
def edge(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Edge]:
    """Main, a sub and a router, deployed by site.yml in one go, with both cameras online."""
    with alone("router", request.config.getoption("--keep-lab")) as lab:
        lab.up(INVENTORY)
        made = Edge(lab, INVENTORY, LISTEN)
        equip(made, bundle)
        settle(made)
        yield made


@pytest.fixture
def page(edge: Edge, tmp_path: Path) -> Iterator[Page]:
    """Chromium at a place outside, logged in through the mapped port."""
    program = tmp_path / "chromium"
    inside = shlex.join(edge.inside(OUTSIDE, browser.LAUNCH["executable_path"]))
    program.write_text(f'#!/bin/sh\nexec {inside} "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as player:
        started = player.chromium.launch(**browser.LAUNCH | {"executable_path": str(program)})
        page = started.new_page(ignore_https_errors=True, base_url=f"https://{WAN_MAIN}")
        browser.log_in(page, scenario.USER, PASSWORD)
        yield page
        started.close()


def test_from_outside_exactly_the_mapped_ports_of_each_node_are_open(edge: Edge) -> None:
    assert edge.sweep(WAN_MAIN) == MAPPED
    assert edge.sweep(WAN_SUB) == MAPPED


def test_clients_outside_and_inside_watch_live_at_the_same_time(edge: Edge) -> None:
    with ThreadPoolExecutor(2) as pool:
        outside = pool.submit(edge.client, OUTSIDE, PASSWORD, f"https://{WAN_MAIN}")
        inside = pool.submit(edge.client, SUB, PASSWORD, "https://198.18.0.10")
        views = [outside.result(), inside.result()]
    for seen in views:
        assert {name for name, _, _ in scenario.CAMERAS} == set(seen)
        for one in seen.values():
            assert one["frames"] > 50
            assert one["lost"] == 0
    addresses = {one["rtsp"]["wan"].split("/")[2] for one in views[0].values()}
    assert addresses == {f"{WAN_MAIN}:9100", f"{WAN_SUB}:9100"}
    assert [one["rtsp_frames"] for one in views[0].values()] == [25, 25]


def test_a_browser_outside_sees_the_cameras_of_both_nodes_by_webrtc(page: Page) -> None:
    page.goto("/live")
    choice = page.get_by_label("Camera of picture 1", exact=True)
    channels = choice.locator("option").evaluate_all("(all) => all.map((one) => one.value).filter(Boolean)")
    assert len(channels) == len(scenario.CAMERAS)
    for channel in channels:
        page.goto("/live")
        choice.select_option(channel)
        page.get_by_role("button", name="Lowest delay of picture 1").click()
        # With no way for UDP the picture would come by WebSocket, and say so.
        video = page.locator("video[data-way=webrtc][data-state=playing]")
        video.wait_for(timeout=30_000)
        until(30, "50 pictures", lambda shown=video: int(shown.get_attribute("data-frames") or 0) > 50)


def test_a_client_inside_may_use_the_outside_address(edge: Edge) -> None:
    for one in edge.client(SUB, PASSWORD, f"https://{WAN_MAIN}").values():
        assert one["frames"] > 50
        assert one["rtsp_frames"] == 25


def test_a_second_run_changes_nothing_on_the_router(edge: Edge) -> None:
    again = edge.router()
    assert (again.code, again.changed) == (0, {EDGE: 0}), again.output[-3000:]


def test_a_preview_shows_the_rules_and_loads_nothing(edge: Edge) -> None:
    ports = json.dumps({"dss_ports": {"mts.rtsp": 19100}})
    preview = edge.router("--check", "--diff", "-e", ports)
    assert (preview.code, preview.changed) == (0, {EDGE: 1}), preview.output[-3000:]
    assert "tcp dport 19100 dnat ip to 198.18.0.10" in preview.output
    assert "19100" not in edge.on(EDGE, "nft", "list", "table", "inet", "dss_dmz")


def test_rules_that_somebody_flushed_come_back(edge: Edge) -> None:
    edge.on(EDGE, "nft", "flush", "ruleset")
    assert edge.router().changed == {EDGE: 1}
    assert edge.sweep(WAN_SUB) == MAPPED


def test_the_mapping_is_there_again_after_a_power_loss(edge: Edge) -> None:
    edge.lab.poweroff(EDGE)
    edge.lab.boot(EDGE)
    edge.on(EDGE, "ip", "address", "replace", f"{WAN_SUB}/24", "dev", "wan0")
    assert edge.sweep(WAN_MAIN) == MAPPED


def test_after_the_removal_script_everything_is_closed_and_what_is_foreign_stays(edge: Edge) -> None:
    edge.on(EDGE, "nft", "add", "table", "inet", "foreign")
    words = ["./dss", "dmz", "-i", str(INVENTORY), "--remove", "--out", str(edge.lab.folder / "dmz")]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    script = (edge.lab.folder / "dmz" / "dmz-remove.sh").read_text()
    for _ in range(2):
        edge.on(EDGE, "sh", "-c", script)
    # Without us the router's own SSH is open to the outside again, as its owner had it.
    assert edge.sweep(WAN_MAIN) == [22]
    assert "table inet foreign" in edge.on(EDGE, "nft", "list", "ruleset")
    restored = edge.router()
    assert (restored.code, restored.changed) == (0, {EDGE: 1}), restored.output[-3000:]
    assert edge.sweep(WAN_MAIN) == MAPPED


def test_devices_outside_get_no_port_that_clients_need(edge: Edge) -> None:
    devices = edge.router("-e", json.dumps({"dss_dmz": ["devices"]}))
    assert devices.code == 0, devices.output[-3000:]
    assert edge.sweep(WAN_MAIN) == [9500]
    assert edge.router().changed == {EDGE: 1}


def test_an_empty_scope_takes_the_mapping_away(edge: Edge) -> None:
    gone = edge.router("-e", json.dumps({"dss_dmz": []}))
    assert (gone.code, gone.changed) == (0, {EDGE: 1}), gone.output[-3000:]
    assert edge.sweep(WAN_MAIN) == [22]
    assert edge.router("-e", json.dumps({"dss_dmz": []})).changed == {EDGE: 0}
    assert edge.router().changed == {EDGE: 1}
