"""What DSS_SS does when a disk is full or gone, and when a camera is away."""

import os
import subprocess
import time
from pathlib import Path

from ss_rack import Store, losses, numbers


def alarm(store: Store) -> str:
    """What health says beside the checks."""
    return str(store.ask("/health", public=True).get("alarms", ""))


def test_a_disk_never_fills_and_the_newest_pictures_go_on(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(2_500_000))
    with Store(tmp_path, {"folders": [str(small_disk)], "file_seconds": 4}) as store:
        store.recordings = small_disk
        store.counting("cam")
        store.wait_bytes("cam", 2_000_000, 120)
        room = os.statvfs(small_disk)
        assert room.f_bavail * room.f_frsize >= 28_000_000
        assert len(store.files("cam")) < 20
        first = int(store.files("cam")[0].name[:8])
        assert first > 1, "nothing was deleted"
        store.stop_ss()
        assert losses([n for path in store.files("cam") for n in numbers(path)]) == []


def test_a_folder_that_somebody_fills_or_takes_away_is_told_and_another_one_takes_over(
    tmp_path: Path, small_disk: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Store(tmp_path, {"folders": [str(small_disk), str(other)], "file_seconds": 4}) as store:
        (other / "ballast").touch()
        store.counting("cam")
        store.wait_bytes("cam", 200_000)
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        store.wait_bytes("cam", 600_000)
        assert list(other.glob("cam/*/*.mp4"))
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_a_camera_that_is_away_raises_an_alarm_and_ends_it(tmp_path: Path) -> None:
    with Store(tmp_path, {"alarm_seconds": 4}) as store:
        camera = store.counting("cam")
        store.wait_bytes("cam", 100_000)
        camera.kill()
        until = time.monotonic() + 30
        while "Nothing of cam" not in alarm(store) and time.monotonic() < until:
            time.sleep(0.5)
        assert "Nothing of cam has been written since" in alarm(store)
        assert store.ask("/health", public=True)["status"] == "ok"
        written = store.ask("/state")["recorders"], store.files("cam")
        time.sleep(12)
        assert (store.ask("/state")["recorders"], store.files("cam")) == written
        assert "Nothing of cam" in alarm(store)
        camera.start()
        store.wait_bytes("cam", 50_000, 60)
        time.sleep(1.5)
        assert alarm(store) == ""
        now = time.time()
        store.stop_ss()
        store.start_ss()
        found = store.timeline("cam", now - 300, now + 60)["intervals"]
        assert len(found) >= 2
        assert found[1]["after"] == "gap"
        assert found[1]["start"] - found[0]["end"] >= 4000
