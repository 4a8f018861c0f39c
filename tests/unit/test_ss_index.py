"""The list of recorded files: its sums, and what happens to a large one that is damaged."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from services.recording_keys import ID_SIZE
from services.ss import index
from services.ss.entry import GAP, SECOND, Entry, Gop
from services.ss.index import Index

OLD = """
CREATE TABLE files (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
  size INTEGER NOT NULL, root TEXT NOT NULL, "join" TEXT NOT NULL, timescale INTEGER NOT NULL,
  gops BLOB NOT NULL, kind TEXT NOT NULL DEFAULT 'continuous', locked INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (channel, seq)) WITHOUT ROWID;
INSERT INTO files VALUES ('cam', 1, 0, 9, 100, '/a', 'g', 90000, x'01', 'event', 1);
INSERT INTO files VALUES ('cam', 2, 9, 20, 50, '/a', 'c', 90000, x'', 'continuous', 0);
"""
"""The index of a release that knew neither encryption nor fetched footage, and kept no sums."""


def entry(seq: int, size: int, root: str = "/a", channel: str = "cam", key: bytes = b"") -> Entry:
    start, gops = seq * SECOND, (Gop(0, seq * SECOND, 0, 25),)
    parts = key + bytes(4) if key else b""
    return Entry(channel, seq, start, start + SECOND, size, root, GAP, 90_000, gops, parts=parts)


def added_up(base: Path, root: str) -> tuple[int, int]:
    query = "SELECT TOTAL(size), TOTAL(size * locked) FROM files WHERE root = ?"
    found = sqlite3.connect(base).execute(query, (root,)).fetchone()
    return int(found[0]), int(found[1])


def test_sums_follow_every_change(tmp_path: Path) -> None:
    held: set[int] = {3}
    one = Index(tmp_path / "index.db", lambda e: e.seq in held)
    assert one.used("/a") == (0, 0)
    changes = [
        lambda: one.put(entry(n, 100 * n) for n in range(1, 6)),
        lambda: one.put([entry(2, 7), entry(3, 11), replace(entry(4, 5), root="/b")]),
        lambda: one.mark("cam", [(SECOND, 3 * SECOND)]),
        lambda: one.drop([("cam", 1), ("cam", 99)]),
        lambda: one.mark("cam", []),
        lambda: one.drop([("cam", n) for n in range(6)]),
    ]
    for change in changes:
        change()
        for root in ("/a", "/b"):
            assert one.used(root) == added_up(tmp_path / "index.db", root)
    assert one.used("/a") == (0, 0)


def test_files_of_each_key_are_counted_through_every_change(tmp_path: Path) -> None:
    one, first, second = Index(tmp_path / "index.db"), b"a" * ID_SIZE, b"b" * ID_SIZE
    assert one.by_key() == {}
    one.put([entry(1, 1), entry(2, 1, key=first), entry(3, 1, key=first), entry(4, 1, key=second)])
    assert one.by_key() == {"": 1, first.hex(): 2, second.hex(): 1}
    one.put([entry(2, 1), entry(1, 1, key=second), entry(4, 2, key=second)])
    assert one.by_key() == {"": 1, first.hex(): 1, second.hex(): 2}
    one.drop([("cam", 3), ("cam", 4), ("cam", 99)])
    assert one.by_key() == {"": 1, second.hex(): 1}


def test_the_index_of_an_earlier_release_is_taken_over_in_one_start(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "index.db") as base:
        base.executescript(OLD)
    base.close()
    one = Index(tmp_path / "index.db")
    assert (one.used("/a"), one.by_key(), one.channels()) == ((150, 100), {"": 2}, ["cam"])
    last = one.last("cam")
    assert last is not None
    assert (last.seq, last.parts, last.source) == (2, b"", "")
    one.put([entry(1, 7, key=b"k" * ID_SIZE)])
    assert (one.used("/a"), one.by_key()) == ((57, 0), {"": 1, (b"k" * ID_SIZE).hex(): 1})


def test_an_earlier_release_that_replaces_rows_keeps_the_sums_right(tmp_path: Path) -> None:
    one = Index(tmp_path / "index.db")
    one.put([entry(1, 100)])
    with sqlite3.connect(tmp_path / "index.db") as base:
        row = list(base.execute("SELECT * FROM files").fetchone())
        row[4] = 30
        base.execute(f"INSERT OR REPLACE INTO files VALUES ({','.join('?' * len(row))})", row)  # noqa: S608
    base.close()
    assert one.used("/a") == (30, 0)


def test_every_channel_is_found_once(tmp_path: Path) -> None:
    one = Index(tmp_path / "index.db")
    assert one.channels() == []
    one.put(entry(n, 1, channel=name) for name in ("b", "a", "c c") for n in range(3))
    assert one.channels() == ["a", "b", "c c"]


def test_a_large_index_that_is_damaged_is_found_beside_recording_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "CHECKED_AT_ONCE", 0)
    path = tmp_path / "index.db"
    one = Index(path)
    one.put(entry(n, 100) for n in range(1000))
    one.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8192)
    late = Index(path)
    with pytest.raises(sqlite3.DatabaseError):
        late.check()
    late.close()
    fresh = Index(path)
    assert fresh.channels() == []
    assert fresh.used("/a") == (0, 0)
    fresh.check()
    fresh.close()
    assert Index(path).channels() == []
