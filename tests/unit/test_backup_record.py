"""What a node remembers of its backups survives cuts, damage and a full disk; one backup at a time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.node import backup_record
from services.runtime.errors import Problem

HOLDS = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(30)
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, file in {"PATH": "backups.json", "LOCK": "backup.lock", "ASKED": "backup-by"}.items():
        monkeypatch.setattr(backup_record, name, tmp_path / file)
    for name in ("INVOCATION_ID", "TRIGGER_UNIT", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_run_is_remembered_with_its_log_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOCATION_ID", "a" * 32)
    run = backup_record.begin()
    run.say("The database is dumped.")
    run.end("done", "It is complete.")
    (found,) = backup_record.load().runs
    assert (found.id, found.state, found.why) == ("a" * 32, "done", "")
    assert [line["text"] for line in found.log][-2:] == ["The database is dumped.", "It is complete."]
    assert backup_record.PATH.stat().st_mode & 0o777 == 0o644


def test_who_wanted_it_is_the_timer_the_account_or_the_shell(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backup_record.requester() == "root on the server"
    (places / "backup-by").write_text("admin")
    assert backup_record.requester() == "admin"
    assert not (places / "backup-by").exists(), "the next run is somebody else's"
    monkeypatch.setenv("TRIGGER_UNIT", backup_record.TIMER)
    assert backup_record.requester() == backup_record.TIMED


def test_a_link_in_the_place_of_the_name_is_not_followed(places: Path) -> None:
    (places / "secret").write_text("root's alone")
    (places / "backup-by").symlink_to(places / "secret")
    assert backup_record.requester() == "root on the server"
    assert (places / "secret").exists()


def test_a_run_that_was_cut_off_is_concluded_by_the_next() -> None:
    backup_record.begin()
    time.sleep(0.01)
    backup_record.begin()
    new, old = backup_record.load().runs
    assert (new.state, old.state) == ("running", "failed")
    assert "cut off" in old.why


def test_only_the_last_runs_are_kept() -> None:
    for _ in range(25):
        backup_record.begin().end("done", "It is complete.")
    assert len(backup_record.load().runs) == 20


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": [{"x": 1}], "kept": []}', "null"])
def test_a_damaged_record_stops_no_backup(places: Path, text: str) -> None:
    (places / "backups.json").write_text(text)
    assert backup_record.load() == backup_record.Record()
    backup_record.begin().end("done", "It is complete.")
    assert len(backup_record.load().runs) == 1


def test_a_second_backup_is_refused_while_one_is_made(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_record, "LOCK_SECONDS", 0.2)
    assert not backup_record.at_work()
    words = [sys.executable, "-c", HOLDS, str(places / "backup.lock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        assert backup_record.at_work()
        with pytest.raises(Problem) as refused, backup_record.alone():
            pytest.fail("two at once")
        assert refused.value.code == "backup-busy"
        other.kill()
    with backup_record.alone():
        assert backup_record.at_work()
    assert backup_record.LOCK.stat().st_mode & 0o777 == 0o644


def test_what_is_on_the_disk_is_listed_newest_first(places: Path) -> None:
    for name in ("one", "two"):
        (places / name).write_bytes(b"x" * 10)
    backup_record.remember(iter([places / "one", places / "two"]))
    kept = backup_record.load().kept
    assert {one.file for one in kept} == {"one", "two"}
    assert kept[0].at >= kept[1].at
