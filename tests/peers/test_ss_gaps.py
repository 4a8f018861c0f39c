"""Why a gap is there, from the real DSS_SS beside a real DSS_MTS: only what is known, also after a kill."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ss_card import CardCamera, recorded
from ss_rack import Store

SETTINGS = {"file_seconds": 4, "fetch_speed": 8, "fetch_retry_seconds": 1, "alarm_seconds": 60}
HOUR = 3600


def gaps(store: Store, seconds: float = 60) -> list[dict[str, Any]]:
    """What is missing of the last seconds."""
    now = time.time()
    found: list[dict[str, Any]] = store.timeline("one", now - seconds, now + seconds)["gaps"]
    return found


def between(store: Store) -> list[dict[str, Any]]:
    """What is missing between the first and the last of all that is recorded."""
    now = time.time()
    found = store.timeline("one", now - HOUR, now + HOUR)
    low = min((one["start"] for one in found["intervals"]), default=0)
    high = max((one["end"] for one in found["intervals"]), default=0)
    return [one for one in found["gaps"] if one["start"] >= low and one["end"] <= high]


def until(store: Store, good: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end, f"{what}: {store.timeline('one', time.time() - HOUR, time.time())}"
        time.sleep(0.1)


def test_a_camera_that_is_away_and_a_service_that_is_killed_are_told_apart(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        camera = store.counting("one")
        store.wait_bytes("one")
        assert gaps(store, HOUR)[0]["reason"] == "unknown"
        camera.kill()
        until(
            store,
            lambda: gaps(store)[-1].get("detail") == "It cannot be reached, or was lost.",
            "the camera is away",
        )
        store.stop_ss(signal.SIGKILL)
        store.start_ss()
        away, killed = gaps(store)[-2:]
        assert away["reason"] == "camera"
        assert killed["reason"] == "recorder"
        assert killed["detail"] == "It ended without being stopped."
        assert away["end"] == killed["start"]


@pytest.mark.full
def test_what_is_not_planned_is_no_failure_and_a_stop_is_told_as_one(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.counting("one")
        store.wait_bytes("one", 200_000)
        store.record("one", "off")
        time.sleep(24)
        store.record("one")
        store.wait_bytes("one", 200_000)
        store.stop_ss()
        time.sleep(16)
        store.start_ss()
        store.wait_bytes("one", 200_000)
        assert [(one["reason"], one.get("detail")) for one in between(store)] == [
            ("plan", None), ("recorder", "It was stopped."),
        ]  # fmt: skip


@pytest.mark.full
def test_a_relay_that_is_away_is_not_taken_for_the_camera(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.counting("one")
        store.wait_bytes("one", 200_000)
        assert store.process
        store.process.kill()
        store.process.wait()
        time.sleep(12)
        store.start()
        store.wait_bytes("one", 200_000)
        assert [one["reason"] for one in between(store)] == ["relay"]


@pytest.mark.full
def test_a_disk_that_takes_nothing_is_the_reason_without_its_path(tmp_path: Path, small_disk: Path) -> None:
    with Store(tmp_path, SETTINGS | {"folders": [str(small_disk)]}) as store:
        store.counting("one")
        store.wait_bytes("one", 200_000)
        # What lies over it takes no new file; the one that is open goes on to its end.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64m", "none", str(small_disk)], check=True)
        until(store, lambda: gaps(store)[-1]["reason"] == "disk", "the disk is told")
        time.sleep(12)
        subprocess.run(["umount", str(small_disk)], check=True)
        store.wait_bytes("one", 200_000, 60)
        (gap,) = between(store)
        assert gap["reason"] == "disk"
        assert gap["detail"] == "Read-only file system."


@pytest.mark.full
def test_a_file_of_reasons_that_is_damaged_or_gone_stops_no_recording(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        kept = tmp_path / "state" / "reasons.db"
        store.counting("one")
        store.wait_bytes("one", 200_000)
        store.stop_ss(signal.SIGKILL)
        for tail in ("-wal", "-shm"):
            kept.with_name(kept.name + tail).unlink(missing_ok=True)
        kept.write_bytes(b"no database at all " * 400)
        store.start_ss()
        store.wait_bytes("one", 200_000)
        with sqlite3.connect(kept) as base:
            assert base.execute("SELECT COUNT(*) FROM changes").fetchone()[0] > 0
        store.stop_ss(signal.SIGKILL)
        for tail in ("", "-wal", "-shm"):
            kept.with_name(kept.name + tail).unlink(missing_ok=True)
        kept.mkdir()
        time.sleep(15)
        store.start_ss()
        store.wait_bytes("one", 200_000)
        assert {one["reason"] for one in between(store)} == {"unknown"}
        told = store.ask("/health", public=True)
        assert told["status"] == "ok"
        assert "Recording goes on" in told["alarms"]["reasons"]


@pytest.mark.full
def test_a_gap_that_is_fetched_says_how_far_it_is_and_one_that_stays_says_why(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS | {"fetch_speed": 2}) as store:
        camera = recorded(store, "one", CardCamera(str(tmp_path / "card"), 0, 2))
        store.wait_bytes("one", 500_000)
        camera.cut()
        time.sleep(60)
        camera.mend()
        seen: list[float] = []

        def stays() -> bool:
            found = [one for one in between(store) if "fetch" in one]
            seen.extend(one["fetch"]["done"] for one in found if one["fetch"]["state"] == "fetching")
            return any(one["fetch"]["state"] == "stays" for one in found)

        until(store, stays, "the rest of it stays", 180)
        found = [one for one in between(store) if one.get("fetch", {}).get("state") == "stays"]
        gap = max(found, key=lambda one: one["end"] - one["start"])
        assert [one["reason"] for one in found] == ["camera"] * len(found)
        assert gap["fetch"] == {"state": "stays", "why": "The camera has no recording of it.", "part": True}
        assert sorted(seen) == seen
        assert 0 < seen[-1] <= 1
        assert len(set(seen)) > 3
