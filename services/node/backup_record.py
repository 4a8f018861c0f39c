"""What a node remembers of its backups: the last runs with their logs, and the files it keeps.

Only root writes it; everybody may read it, because the folder of the backups itself is root's alone.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from services.node import files, lock
from services.runtime.errors import Problem

PATH, LOCK = files.STATE / "backups.json", files.STATE / "backup.lock"
ASKED = files.STATE / "smc" / "backup-by"
UNIT, TIMER = "dss-backup.service", "dss-backup.timer"
PERIOD = 24 * 3600
"""Seconds between two runs of the timer."""

TIMED = "the schedule"
RUNS, LONGEST_NAME = 20, 64
LOCK_SECONDS = 2.0


@dataclass
class Run:
    """One run; `state`: running, done, failed. Times are seconds since 1970, `ended` 0 while it runs.

    `id` is systemd's invocation id where systemd started it. `why` says what went wrong, and what to do.
    """

    id: str
    by: str
    began: float
    ended: float = 0.0
    state: str = "running"
    file: str = ""
    bytes: int = 0
    why: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Note one line of its log, durably."""
        self.log.append({"at": time.time(), "text": text})
        _keep(self)

    def end(self, state: str, text: str) -> None:
        """The last line, and how it ended."""
        self.state, self.ended = state, time.time()
        self.why = text if state == "failed" else ""
        self.say(text)


@dataclass(frozen=True)
class Kept:
    """A backup on disk, by its file name; `at` is when it was written, seconds since 1970."""

    file: str
    bytes: int
    at: float


@dataclass
class Record:
    """Runs, newest first; and the files that were there after the last one, newest first."""

    runs: list[Run] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def load() -> Record:
    """The record; empty where there is none, or where it cannot be read."""
    nothing: dict[str, Any] = {"runs": [], "kept": []}
    try:
        found = files.read_json(PATH, nothing)
        return Record([Run(**one) for one in found["runs"]], [Kept(**one) for one in found["kept"]])
    except (ValueError, TypeError, KeyError):
        # It is told anew by the next run; a backup must not fail for want of its history.
        return Record()


@contextmanager
def alone() -> Iterator[None]:
    """One backup at a time on a node: two would write the same dump. Problem while another one runs."""
    with lock.alone(LOCK, LOCK_SECONDS) as mine:
        if not mine:
            raise Problem(
                "backup-busy", "No further backup was begun.", "Another one is being made on this node.",
                "Wait until it is done, then look at its result.", status=409,
            )  # fmt: skip
        yield


def at_work() -> bool:
    """Whether a backup is being made at this moment; everybody may ask."""
    return lock.taken(LOCK)


def begin() -> Run:
    """A new run, noted; one that was cut off before is concluded."""
    record = load()
    for one in record.runs:
        if one.state == "running":
            one.state, one.ended, one.why = "failed", time.time(), "It was cut off before it was done."
    by = requester()
    run = Run(os.environ.get("INVOCATION_ID") or uuid4().hex, by, time.time())
    record.runs = [run, *(one for one in record.runs if one.id != run.id)][:RUNS]
    _write(record)
    run.say(f"Begun for {by}.")
    return run


def requester() -> str:
    """Who wants this run: the schedule, whom the agent names, or who typed the command."""
    if os.environ.get("TRIGGER_UNIT") == TIMER:
        return TIMED
    asked = (files.read_foreign(ASKED, LONGEST_NAME) or "").strip()
    ASKED.unlink(missing_ok=True)
    return asked or os.environ.get("SUDO_USER") or "root on the server"


def remember(kept: Iterator[Path]) -> None:
    """Note which backups are on disk."""
    record = load()
    found = [Kept(p.name, p.stat().st_size, p.stat().st_mtime) for p in kept]
    record.kept = sorted(found, key=lambda one: one.at, reverse=True)
    _write(record)


def _keep(run: Run) -> None:
    record = load()
    record.runs = [run if one.id == run.id else one for one in record.runs]
    _write(record)


def _write(record: Record) -> None:
    # A backup on another disk must not fail for want of its log.
    with suppress(OSError):
        files.write_json(PATH, asdict(record))
