"""What DSS_SS writes: every picture once, in whole files, whatever is killed."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ss_rack import Store, check_index, kill_recorder, kill_relay, losses, numbers

LOST = 25 * (2 + 5)
"""Pictures of one GOP and five seconds."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as started:
        yield started


def all_numbers(store: Store, channel: str) -> list[int]:
    return [number for path in store.files(channel) for number in numbers(path)]


@pytest.mark.parametrize(
    ("settings", "seconds", "files"),
    [({"file_seconds": 5}, 30, 5), pytest.param({}, 75, 2, marks=pytest.mark.full)],
)
def test_every_picture_is_recorded_once_across_files(
    tmp_path: Path, settings: dict[str, int], seconds: int, files: int
) -> None:
    with Store(tmp_path, settings) as store:
        store.counting("cam")
        store.wait_bytes("cam")
        time.sleep(seconds)
        store.stop_ss()
        found = all_numbers(store, "cam")
        assert len(store.files("cam")) >= files
        assert len(found) > 25 * (seconds - 5)
        assert losses(found) == []
        check_index(store)


@pytest.mark.parametrize("kill", [kill_recorder, kill_relay])
def test_a_killed_recorder_or_relay_loses_no_more_than_a_gop_and_five_seconds(
    store: Store, kill: Callable[[Store], None]
) -> None:
    store.counting("cam")
    store.wait_bytes("cam", 300_000)
    for _ in range(3):
        kill(store)
        store.wait_bytes("cam", 300_000)
    store.stop_ss()
    missing = losses(all_numbers(store, "cam"))
    print(f"missing pictures after each {kill.__name__}:", missing)
    assert all(0 < one <= LOST for one in missing)
    check_index(store)


def test_a_recorder_that_is_away_for_some_seconds_loses_nothing(store: Store) -> None:
    store.counting("cam")
    store.wait_bytes("cam", 300_000)
    for how in (signal.SIGKILL, signal.SIGTERM):
        store.stop_ss(how)
        time.sleep(7)
        store.start_ss()
        store.wait_bytes("cam", 200_000)
    now = time.time()
    assert len(store.timeline("cam", now - 300, now + 60)["intervals"]) == 1
    store.stop_ss()
    assert losses(all_numbers(store, "cam")) == []
    check_index(store)


def test_the_index_is_made_anew_from_the_files_when_it_is_lost_or_damaged(store: Store) -> None:
    store.counting("cam")
    store.wait_bytes("cam", 500_000)
    index = store.folder / "state" / "index.db"
    for damage in (lambda: index.unlink(), lambda: index.write_bytes(b"\0" * 100_000)):
        store.stop_ss()
        for tail in ("-wal", "-shm"):
            index.with_name(index.name + tail).unlink(missing_ok=True)
        damage()
        store.start_ss()
        store.wait_bytes("cam", 200_000)
    store.stop_ss()
    check_index(store)


def test_a_torn_tail_is_cut_off_and_nothing_before_it(store: Store) -> None:
    store.counting("cam")
    store.wait_bytes("cam", 500_000)
    store.stop_ss(signal.SIGKILL)
    path = store.files("cam")[-1]
    before = numbers(path)
    with path.open("ab") as file:
        file.write(path.read_bytes()[-5000:] + b"\0" * 4096)
    store.start_ss()
    time.sleep(1)
    store.stop_ss()
    assert numbers(path)[: len(before) - 50] == before[: len(before) - 50]
    assert losses(numbers(path)) == []
    check_index(store)


def test_ffprobe_and_mpv_read_every_file(store: Store) -> None:
    store.counting("cam")
    store.wait_bytes("cam", 400_000)
    store.stop_ss()
    for path in store.files("cam"):
        for words in (["ffprobe", "-v", "error", str(path)],
                      ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"]):  # fmt: skip
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert done.stderr == ""
