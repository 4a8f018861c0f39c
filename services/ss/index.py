"""The list of finished files in SQLite. The files are the truth: it can be made anew from them."""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from services.ss import totals
from services.ss.entry import LATEST, Entry, pack, unpack

LOG = logging.getLogger(__name__)

TABLES = """
CREATE TABLE IF NOT EXISTS files (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
  size INTEGER NOT NULL, root TEXT NOT NULL, "join" TEXT NOT NULL, timescale INTEGER NOT NULL,
  gops BLOB NOT NULL, kind TEXT NOT NULL DEFAULT 'continuous', locked INTEGER NOT NULL DEFAULT 0,
  parts BLOB NOT NULL DEFAULT x'', source TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (channel, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_start ON files (channel, start);
CREATE INDEX IF NOT EXISTS by_age ON files (root, start);
"""
ADDED = ("kind TEXT NOT NULL DEFAULT 'continuous'", "locked INTEGER NOT NULL DEFAULT 0",
         "parts BLOB NOT NULL DEFAULT x''", "source TEXT NOT NULL DEFAULT ''")  # fmt: skip
"""Columns that the table of an earlier release lacks."""
DELETABLE = "CREATE INDEX IF NOT EXISTS deletable ON files (root, start) WHERE locked = 0"
LOCKED = "CREATE INDEX IF NOT EXISTS by_lock ON files (channel, start) WHERE locked = 1"
CHANNELS = """
WITH RECURSIVE found (one) AS (
  SELECT MIN(channel) FROM files
  UNION ALL SELECT (SELECT MIN(channel) FROM files WHERE channel > one) FROM found WHERE one IS NOT NULL)
SELECT one FROM found WHERE one IS NOT NULL"""
"""One look for each channel, whatever the number of files."""
CHECKED_AT_ONCE = 64 * 1024 * 1024
"""A larger index is looked through beside recording, which must not wait for it."""
CONDEMNED = ".damaged"
COLUMNS = 'channel, seq, start, "end", size, root, "join", timescale, gops, kind, parts, source'
READABLE = "gops <> x''"
"""Of the others nothing is known but that they take room: their key is missing, or they are damaged."""
LONGEST = 3600 * 1_000_000
"""No file is longer, in microseconds: bounds the search for those that reach into a span."""


class Index:
    """One connection, used by any thread, one at a time; every change is committed before it returns.

    `locked` says whether a file is evidence; what it said of each file stands in the index, so that the
    oldest of the others is found at once.
    """

    def __init__(self, path: Path, locked: Callable[[Entry], bool] = lambda _: False) -> None:
        self._path = path
        self._locked = locked
        self._lock = threading.Lock()
        self._base = self._open()

    def put(self, entries: Iterable[Entry]) -> None:
        """Add files, or replace what is known of them."""
        with self._lock, self._base:
            # Asked in here: a lock made meanwhile is either heard now, or marks these rows afterwards.
            rows = [(e.channel, e.seq, e.start, e.end, e.size, e.root, e.join, e.timescale, pack(e.gops),
                     e.kind, e.parts, e.source, self._locked(e)) for e in entries]  # fmt: skip
            self._base.executemany(
                f"INSERT OR REPLACE INTO files ({COLUMNS}, locked) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                rows,
            )

    def mark(self, channel: str, spans: Iterable[tuple[int, int]]) -> None:
        """Of a channel's files, exactly those that have something of these spans are locked."""
        with self._lock, self._base:
            self._base.execute("UPDATE files SET locked = 0 WHERE channel = ? AND locked = 1", (channel,))
            self._base.executemany(
                'UPDATE files SET locked = 1 WHERE channel = ? AND start < ? AND "end" > ?',
                [(channel, end, start) for start, end in spans],
            )

    def drop(self, keys: Iterable[tuple[str, int]]) -> None:
        """Forget files, by channel and number."""
        with self._lock, self._base:
            self._base.executemany("DELETE FROM files WHERE channel = ? AND seq = ?", list(keys))

    def last(self, channel: str) -> Entry | None:
        """The newest file of a channel."""
        return self._one("channel = ? ORDER BY seq DESC", channel)

    def gaps(self, channel: str, after: int, count: int) -> list[Entry]:
        """Recorded files that follow a gap, the first `count` of them above number `after`."""
        where = """channel = ? AND seq > ? AND "join" = 'g' AND source = '' ORDER BY seq LIMIT ?"""
        return self._rows(where, channel, after, count)

    def following(self, channel: str, seq: int) -> Entry | None:
        """The file recorded next after number `seq`."""
        return self._one(f"channel = ? AND seq > ? AND {READABLE} ORDER BY seq", channel, seq)

    def preceding(self, channel: str, seq: int) -> Entry | None:
        """The file before number `seq`."""
        return self._one(f"channel = ? AND seq < ? AND {READABLE} ORDER BY seq DESC", channel, seq)

    def taken(self, channel: str, below: int) -> int:
        """The highest number below another one that a file has, even one that cannot be read; 0 for none."""
        query = "SELECT MAX(seq) FROM files WHERE channel = ? AND seq < ?"
        with self._lock:
            return int(self._base.execute(query, (channel, below)).fetchone()[0] or 0)

    def within(self, channel: str, start: int, end: int) -> list[Entry]:
        """Files that have something of [start, end), as they were recorded."""
        where = f'channel = ? AND start > ? AND start < ? AND "end" > ? AND {READABLE} ORDER BY seq'
        return self._rows(where, channel, start - LONGEST, end, start)

    def amount(self, channel: str, start: int, end: int) -> int:
        """About how many bytes [start, end) takes: of a file that reaches out of it, its share."""
        query = 'SELECT size, start, "end" FROM files WHERE channel = ? AND start > ? AND start < ?'
        query += f" AND {READABLE}"
        with self._lock:
            rows = self._base.execute(query, (channel, start - LONGEST, end)).fetchall()
        shares = (
            (size, min(high, end) - max(low, start), high - low)
            for size, low, high in rows
            if high > max(low, start)
        )
        return sum(size * part // whole for size, part, whole in shares)

    def next_start(self, channel: str, moment: int) -> Entry | None:
        """The file that begins first after a moment."""
        return self._one(f"channel = ? AND start > ? AND {READABLE} ORDER BY start", channel, moment)

    def oldest(self, root: str, count: int) -> list[Entry]:
        """The oldest files of a storage folder that are not locked."""
        return self._rows("root = ? AND locked = 0 ORDER BY start LIMIT ?", root, count)

    def used(self, root: str) -> tuple[int, int]:
        """Bytes of all files of a storage folder, and those of the locked ones."""
        with self._lock:
            return totals.of(self._base, root)

    def newest(self) -> int:
        """Up to when anything is recorded, microseconds since 1970; 0 for nothing at all."""
        found = (self.preceding(channel, LATEST) for channel in self.channels())
        return max((one.end for one in found if one), default=0)

    def channels(self) -> list[str]:
        """Every channel of which something is recorded."""
        with self._lock:
            return [row[0] for row in self._base.execute(CHANNELS)]

    def numbers(self, channel: str, low: int, high: int) -> dict[int, str]:
        """Which files of [low, high) are known and can be read, with the storage folder of each."""
        query = f"SELECT seq, root FROM files WHERE channel = ? AND seq >= ? AND seq < ? AND {READABLE}"  # noqa: S608
        with self._lock:
            return dict(self._base.execute(query, (channel, low, high)).fetchall())

    def by_key(self) -> dict[str, int]:
        """How many files need each key, by its id in hex; "" for those that are not encrypted."""
        with self._lock:
            return totals.by_key(self._base)

    def check(self) -> None:
        """Look through a large index, beside all other work; raises sqlite3.DatabaseError.

        One that is found damaged is made anew at the next start.
        """
        if self._path.stat().st_size <= CHECKED_AT_ONCE:
            return
        try:
            with contextlib.closing(sqlite3.connect(self._path)) as base:
                _check(base)
        except sqlite3.OperationalError:
            LOG.exception("the index cannot be looked through now")
        except sqlite3.DatabaseError:
            self._beside(CONDEMNED).touch()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()

    def _one(self, where: str, *values: object) -> Entry | None:
        return next(iter(self._rows(f"{where} LIMIT 1", *values)), None)

    def _rows(self, where: str, *values: object) -> list[Entry]:
        with self._lock:
            rows = self._base.execute(f"SELECT {COLUMNS} FROM files WHERE {where}", values).fetchall()  # noqa: S608
        return [_entry(row) for row in rows]

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self._beside(CONDEMNED).exists():
                raise sqlite3.DatabaseError("it was found damaged")
            return self._connected()
        except sqlite3.DatabaseError as error:
            LOG.warning("the index cannot be read (%s) and is made anew from the files", error)
            for tail in ("", "-wal", "-shm", CONDEMNED):
                self._beside(tail).unlink(missing_ok=True)
            return self._connected()

    def _beside(self, tail: str) -> Path:
        return self._path.with_name(self._path.name + tail)

    def _connected(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, check_same_thread=False)
        try:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = NORMAL")
            base.execute("PRAGMA cache_size = -2048")
            base.executescript(TABLES)
            _add_columns(base)
            totals.keep(base)
            if self._path.stat().st_size <= CHECKED_AT_ONCE:
                _check(base)
        except sqlite3.DatabaseError:
            base.close()
            raise
        return base


def _check(base: sqlite3.Connection) -> None:
    damaged = base.execute("PRAGMA quick_check(1)").fetchone()
    if damaged != ("ok",):
        raise sqlite3.DatabaseError(str(damaged))


def _entry(row: tuple[Any, ...]) -> Entry:
    channel, seq, start, end, size, root, join, timescale, gops, kind, parts, source = row
    return Entry(
        channel, seq, start, end, size, root, join, timescale, unpack(start, gops), kind, parts, source
    )


def _add_columns(base: sqlite3.Connection) -> None:
    known = {row[1] for row in base.execute("PRAGMA table_info(files)")}
    for column in ADDED:
        if column.split()[0] not in known:
            base.execute(f"ALTER TABLE files ADD COLUMN {column}")
    base.execute(DELETABLE)
    base.execute(LOCKED)
