"""Why nothing was recorded: what stood in the way of each track, and when DSS_SS itself was away.

Beside the index, in a file that releases without it leave alone. What cannot be kept is not known later; no
recording waits for it.
"""

import contextlib
import sqlite3
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from services.ss.entry import SECOND

FILE = "reasons.db"
RECORDED, CAMERA, RELAY, DISK, UNPLANNED, UNKNOWN = "", "camera", "relay", "disk", "plan", "unknown"
"""States of a track; RECORDED: nothing stood in the way."""
RECORDER, NODE, CLOCK = "recorder", "node", "clock"
"""What lay before a run of DSS_SS: it was away, its node was away too, or the clock was set."""
MOST_OF_TRACK, MOST, MOST_RUNS = 2000, 200_000, 1000
LONGEST_DETAIL = 200
UNSEEN = 30 * SECOND
"""A run records for less than that after it was seen for the last time."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, began INTEGER NOT NULL, seen INTEGER NOT NULL, boot TEXT NOT NULL,
  ended INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changes (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, track TEXT NOT NULL, at INTEGER NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_track ON changes (track, id);
"""
_DETAILS = {
    (False, False): "It ended without being stopped.",
    (False, True): "It was stopped.",
    (True, False): "It ended without being stopped, and the server restarted meanwhile.",
    (True, True): "It was stopped, and the server restarted meanwhile.",
}
"""By whether the server restarted, and whether DSS_SS was stopped in order."""


class Trouble(NamedTuple):
    """What stands in the way of a track, one of the states above, and more of it in a sentence for people."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Change:
    """A track is in another state from `at` (microseconds since 1970) on; or only its `detail` is better."""

    track: str
    at: int
    reason: str
    detail: str = ""
    better: bool = False


@dataclass(frozen=True)
class Span:
    """[start, end), microseconds since 1970, and why nothing was recorded then, as far as that is known."""

    start: int
    end: int
    reason: str
    detail: str = ""


class Reasons:
    """One connection, used by any thread, one at a time. Whatever is wrong with the file: sqlite3.Error."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = None
        self._run = 0

    def begin(self, now: int, newest: int) -> None:
        """DSS_SS has started: what was before is a time without it.

        Unless something was recorded, at `newest` the last time, long after it was seen here: then a release
        ran that keeps no reasons.
        """
        boot = _boot()
        with self._lock, self._opened() as base:
            last = base.execute("SELECT boot, ended, seen FROM runs ORDER BY id DESC LIMIT 1").fetchone()
            reason, detail = UNKNOWN, ""
            if last and newest < last[2] + UNSEEN:
                anew, stopped = last[0] != boot, bool(last[1])
                reason, detail = NODE if anew else RECORDER, _DETAILS[anew, stopped]
            self._enter(base, now, boot, reason, detail)

    def again(self, until: int, now: int, reason: str, detail: str) -> None:
        """The same process goes on at `now`; what was known ends at `until`, and `reason` lies between."""
        with self._lock, self._opened() as base:
            base.execute("UPDATE runs SET seen = ? WHERE id = ?", (until, self._run))
            self._enter(base, now, _boot(), reason, detail)

    def note(self, changes: list[Change], now: int) -> None:
        """Keep changes so that a power cut does not take them, and that DSS_SS runs at `now`."""
        with self._lock:
            # What is told again and again may be lost with the last seconds; what is told once may not.
            self._opened().execute(f"PRAGMA synchronous = {'FULL' if changes else 'NORMAL'}")
            with self._opened() as base:
                for one in changes:
                    self._put(base, one)
                base.execute("UPDATE runs SET seen = ? WHERE id = ?", (now, self._run))
                if changes:
                    last = "SELECT MAX(id) FROM changes"
                    base.execute(f"DELETE FROM changes WHERE id <= ({last}) - ?", (MOST,))  # noqa: S608

    def end(self, now: int) -> None:
        """DSS_SS is stopped in order; nothing can be kept after it."""
        with self._lock, contextlib.closing(self._opened()) as base, base:
            base.execute("UPDATE runs SET seen = ?, ended = 1 WHERE id = ?", (now, self._run))

    def spans(self, track: str, now: int) -> list[Span]:
        """What is known of a track up to `now`: in order and apart.

        Nothing is said of times of which nothing is known, nor of a track that never was planned.
        """
        with self._lock:
            base = self._opened()
            runs = base.execute("SELECT id, began, seen, reason, detail FROM runs ORDER BY id").fetchall()
            query = "SELECT run, at, reason, detail FROM changes WHERE track = ? ORDER BY id"
            rows = base.execute(query, (track,)).fetchall()
        if not rows:
            return []
        changes: dict[int, list[tuple[int, str, str]]] = {}
        for run, *row in rows:
            changes.setdefault(run, []).append((row[0], row[1], row[2]))
        found: list[Span] = []
        before, newest = (runs[0][1] if runs else now), 0
        for id, began, seen, reason, detail in runs:
            # What a clock says that is set back behind what was seen before is not sure.
            if before >= newest:
                _fill(found, Span(before, began, reason, detail))
            last = max(now, seen) if id == self._run else seen
            known = changes.get(id, [])
            ends = [*(at for at, *_ in known[1:]), last]
            laid = (Span(at, end, *said) for (at, *said), end in zip(known, ends, strict=False))
            _lay(found, [one for one in laid if one.start < one.end])
            before, newest = last, max(newest, before)
        return found

    def _enter(self, base: sqlite3.Connection, now: int, boot: str, reason: str, detail: str) -> None:
        row = (now, now, boot, 0, reason, detail)
        query = "INSERT INTO runs (began, seen, boot, ended, reason, detail) VALUES (?,?,?,?,?,?)"
        self._run = int(base.execute(query, row).lastrowid or 0)
        base.execute("DELETE FROM runs WHERE id <= ?", (self._run - MOST_RUNS,))

    def _put(self, base: sqlite3.Connection, one: Change) -> None:
        detail = one.detail[:LONGEST_DETAIL]
        if one.better:
            newest = "SELECT MAX(id) FROM changes WHERE track = ?"
            base.execute(f"UPDATE changes SET detail = ? WHERE id = ({newest})", (detail, one.track))  # noqa: S608
            return
        base.execute("INSERT INTO changes (run, track, at, reason, detail) VALUES (?,?,?,?,?)",
                     (self._run, one.track, one.at, one.reason, detail))  # fmt: skip
        oldest = "SELECT id FROM changes WHERE track = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        query = f"DELETE FROM changes WHERE track = ? AND id <= ({oldest})"  # noqa: S608
        base.execute(query, (one.track, one.track, MOST_OF_TRACK))

    def _opened(self) -> sqlite3.Connection:
        if self._base is None:
            try:
                self._base = _connected(self._path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                for tail in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + tail).unlink(missing_ok=True)
                self._base = _connected(self._path)
        return self._base


def _lay(found: list[Span], fresh: list[Span]) -> None:
    """Put spans in a row in the place of what was said of their time, before a clock was set back."""
    if not fresh:
        return
    low, high = fresh[0].start, fresh[-1].end
    before = len(found)
    while before and found[before - 1].end > low:
        before -= 1
    rest = found[before:]
    found[before:] = [
        *(replace(one, end=low) for one in rest if one.start < low),
        *fresh,
        *(replace(one, start=max(one.start, high)) for one in rest if one.end > high),
    ]


def _fill(found: list[Span], one: Span) -> None:
    """Say something of that part of a time of which nothing is said."""
    first = len(found)
    while first and found[first - 1].end > one.start:
        first -= 1
    made, reached = [], one.start
    for old in [*found[first:], Span(one.end, one.end, "")]:
        if reached < min(old.start, one.end):
            made.append(replace(one, start=reached, end=min(old.start, one.end)))
        reached = max(reached, old.end)
    found[first:] = sorted([*found[first:], *made], key=lambda span: span.start)


def _connected(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, check_same_thread=False)
    try:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA cache_size = -256")
        base.executescript(_TABLES)
        if base.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("it is damaged")
    except sqlite3.Error:
        base.close()
        raise
    return base


def _boot() -> str:
    """Which start of the machine this is; empty where the system does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
