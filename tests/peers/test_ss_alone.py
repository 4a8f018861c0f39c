"""A camera that sends sound alone on a node that records: nothing is written, and everybody hears why."""

import contextlib
import time
import urllib.error
from pathlib import Path

import pytest
from ss_rack import Store
from test_ss_storage import alarm

from services.media.plans import CONTINUOUS, EVENT, Plan

pytestmark = pytest.mark.full
WHY = "The camera sends sound alone, which is not recorded"


def explained(store: Store) -> None:
    """Wait until the state of the plan says why; a channel that was just listed is not known at first."""
    until = time.monotonic() + 30
    said = ""
    while WHY not in said and time.monotonic() < until:
        time.sleep(0.2)
        with contextlib.suppress(urllib.error.HTTPError):
            said = store.ask("/recording/cam")["problem"]
    assert WHY in said


@pytest.mark.parametrize("mode", [CONTINUOUS, EVENT])
def test_a_plan_for_sound_alone_says_why_nothing_is_recorded(tmp_path: Path, mode: str) -> None:
    with Store(tmp_path, {"alarm_seconds": 3}) as store:
        store.camera("cam", "alaw", "alone")
        store.channels = [row | {"plan": Plan(mode).as_dict()} for row in store.channels]
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
        explained(store)
        camera.kill()
        camera.words = ("h264", "alaw")
        camera.start()
        store.wait_bytes("cam", 100_000)
        camera.kill()
        camera.words = ("alaw", "alone")
        camera.start()
        explained(store)
        files = store.files("cam")
        time.sleep(2)
        assert store.files("cam") == files
