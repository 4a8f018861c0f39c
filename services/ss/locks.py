"""Evidence: spans of a channel that nothing deletes, kept beside the recordings in each storage folder.

Blocking. A copy lies in every folder, so that the loss of the index or of a disk takes no lock away.
"""

import contextlib
import json
import logging
import secrets
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.node import files
from services.runtime import clock
from services.runtime.errors import Problem
from services.ss import tracks
from services.ss.entry import CHANNEL, LATEST, SECOND, Entry

LOG = logging.getLogger(__name__)

FILE = "locks.json"
MOST, LONGEST_NOTE = 1000, 200
LONGEST = 32 * 86_400 * SECOND
DAMAGED = "damaged"


@dataclass(frozen=True)
class Lock:
    """Microseconds since 1970 from `start` to before `end`; who locked them, when (ISO), and why."""

    id: str
    start: int
    end: int
    note: str
    by: str
    at: str


class Locks:
    """All locks of the node. Whoever deletes holds `guard` from the question to the deed."""

    def __init__(self, roots: list[str]) -> None:
        self.guard = threading.Lock()
        self._roots = [Path(root) for root in roots]
        self._known: dict[str, tuple[Lock, ...]] = {}
        self._writing = threading.Lock()

    def load(self) -> None:
        """Read every copy; what one of them lacks is written there again."""
        copies: dict[str, list[tuple[Lock, ...] | None]] = {}
        for path in (path for root in self._roots for path in _lists(root)):
            copies.setdefault(path.parent.name, []).append(_read(path))
        for channel, found in copies.items():
            whole = [one for one in found if one is not None]
            known = _union(whole) if whole else (_everything(),)
            self._known[channel] = known
            if whole and (len(found) < len(self._roots) or any(one != known for one in found)):
                # Disks that take nothing are in the log by then; what is locked is known all the same.
                with contextlib.suppress(Problem):
                    self._write(channel, known)

    def of(self, channel: str) -> tuple[Lock, ...]:
        """The locks of a channel, or of a track, by their beginning: they hold for all its tracks."""
        return self._known.get(tracks.channel_of(channel), ())

    def spans(self, channel: str) -> list[tuple[int, int]]:
        """What is locked of a channel, in order and without overlaps."""
        found: list[tuple[int, int]] = []
        for one in self.of(channel):
            if found and one.start <= found[-1][1]:
                found[-1] = found[-1][0], max(found[-1][1], one.end)
            else:
                found.append((one.start, one.end))
        return found

    def covers(self, entry: Entry) -> bool:
        """Whether a file has something of a locked span."""
        return any(one.start < entry.end and one.end > entry.start for one in self.of(entry.channel))

    def add(self, channel: str, start: int, end: int, note: str, by: str) -> Lock:
        """Lock a span; from the return on nothing of it is deleted. Problem if it cannot be."""
        fits = 0 <= start < end <= min(start + LONGEST, LATEST)
        if not CHANNEL.fullmatch(channel) or not fits:
            raise _refused("lock-span", "The span cannot be locked.",
                           "It must be longer than 0, at most 32 days.", "Choose another one.")  # fmt: skip
        made = Lock(secrets.token_hex(8), start, end, note[:LONGEST_NOTE], by, clock.iso(clock.now()))
        with self._writing:
            if len(self.of(channel)) >= MOST:
                raise _refused("lock-many", "The span was not locked.", f"This channel has {MOST} locks.",
                               "Remove some of them first.", 409)  # fmt: skip
            self._set(channel, _union([self.of(channel), (made,)]))
        return made

    def remove(self, channel: str, id: str) -> Lock:
        """Unlock what no other lock holds; Problem 404 if there is no such lock."""
        with self._writing:
            gone = next((one for one in self.of(channel) if one.id == id), None)
            if gone is None:
                raise _refused("lock-unknown", "There is no such lock.", "It is removed, or the id is wrong.",
                               "Look at the list of locks.", 404)  # fmt: skip
            self._set(channel, tuple(one for one in self.of(channel) if one.id != id))
        return gone

    def _set(self, channel: str, wanted: tuple[Lock, ...]) -> None:
        self._write(channel, wanted)
        with self.guard:
            self._known[channel] = wanted

    def _write(self, channel: str, wanted: tuple[Lock, ...]) -> None:
        """To every folder that is there; Problem if none takes it."""
        text = json.dumps({"locks": [asdict(one) for one in wanted]}, indent=1) + "\n"
        failures, written = [], 0
        for root in self._roots:
            try:
                # A folder that is missing is not made: its disk is not there.
                (root / channel).mkdir(mode=0o750, exist_ok=True)
                files.write(root / channel / FILE, text, 0o640)
                files.sync_folder(root)
                written += 1
            except OSError as error:
                failures.append(f"{root}: {error.strerror or error}")
                LOG.error("the locks of %s cannot be written to %s: %s", channel, root, error)
        if not written:
            raise _refused("lock-not-kept", "The list of locks was not changed.",
                           f"No storage folder takes it ({'; '.join(failures)[:300]}).",
                           "See to the disks of this node, then try again.", 503)  # fmt: skip


def _lists(root: Path) -> list[Path]:
    try:
        return [path for path in root.glob(f"*/{FILE}") if CHANNEL.fullmatch(path.parent.name)]
    except OSError as error:
        LOG.error("the locks in %s cannot be read: %s", root, error)
        return []


def _read(path: Path) -> tuple[Lock, ...] | None:
    """The locks of a copy; None if it cannot be read."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["locks"]
        return _union([tuple(map(_lock, rows))])
    except (OSError, ValueError, KeyError, TypeError) as error:
        LOG.error("%s cannot be used: %s", path, error)
        return None


def _lock(row: dict[str, Any]) -> Lock:
    one = Lock(**row)
    if type(one.start) is not int or type(one.end) is not int or not 0 <= one.start < one.end <= LATEST:
        raise ValueError("a lock has no span")
    return one


def _union(lists: list[tuple[Lock, ...]]) -> tuple[Lock, ...]:
    rows = {one.id: one for found in lists for one in found}
    return tuple(sorted(rows.values(), key=lambda one: (one.start, one.end, one.id)))


def _everything() -> Lock:
    """Stands for lists of which no copy can be read: all is kept until somebody removes it."""
    note = "The list of locks is damaged, so everything is kept until this lock is removed."
    return Lock(DAMAGED, 0, LATEST, note, "DSS_SS", clock.iso(clock.now()))


def _refused(code: str, what: str, why: str, remedy: str, status: int = 422) -> Problem:
    return Problem(code, what, why, remedy, status=status)
