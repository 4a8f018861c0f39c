"""A camera that sends sound alone on a node that records: nothing is written, and everybody hears why."""

import time
from pathlib import Path

import pytest
from ss_rack import Store
from test_ss_storage import alarm

pytestmark = pytest.mark.full
WHY = "The camera sends sound alone, which is not recorded"


@pytest.mark.parametrize("mode", ["continuous", "event"])
def test_a_plan_for_sound_alone_says_why_nothing_is_recorded(tmp_path: Path, mode: str) -> None:
    with Store(tmp_path, {"alarm_seconds": 3}) as store:
        store.camera("cam", "alaw", "alone")
        plan = {"mode": mode, "week": [], "pre": 5, "post": 5, "zone": "UTC"}
        store.channels = [row | {"plan": plan} for row in store.channels]
        until = time.monotonic() + 30
        while WHY not in alarm(store) and time.monotonic() < until:
            time.sleep(0.2)
        assert "Nothing of cam has" in alarm(store)
        assert WHY in alarm(store)
        assert WHY in store.ask("/recording/cam")["problem"]
        assert not store.files("cam")
        assert store.streams()["cam", "main"]["state"] == "online"


def test_a_camera_that_gets_its_picture_back_is_recorded_again(tmp_path: Path) -> None:
    with Store(tmp_path, {"alarm_seconds": 3}) as store:
        camera = store.camera("cam", "alaw", "alone")
        store.record("cam")
        until = time.monotonic() + 30
        while WHY not in store.ask("/recording/cam")["problem"] and time.monotonic() < until:
            time.sleep(0.2)
        camera.kill()
        camera.words = ("h264", "alaw")
        camera.start()
        store.wait_bytes("cam", 100_000)
        camera.kill()
        camera.words = ("alaw", "alone")
        camera.start()
        until = time.monotonic() + 30
        while WHY not in store.ask("/recording/cam")["problem"] and time.monotonic() < until:
            time.sleep(0.2)
        assert WHY in store.ask("/recording/cam")["problem"]
        files = store.files("cam")
        time.sleep(2)
        assert store.files("cam") == files
