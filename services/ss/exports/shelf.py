"""The folder of exports: jobs and results, how much room they may take, and how long they stay."""

import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.node import files
from services.runtime import clock
from services.runtime.errors import Problem
from services.ss.disks import GB, Disk
from services.ss.exports import job as jobs
from services.ss.exports import results
from services.ss.exports.job import Job
from services.ss.exports.order import ID, Order

LOG = logging.getLogger(__name__)

FOLDER = "_exports"
"""Begins as no channel does, so that it is never taken for recordings."""
NOTE, RESULT = "job.json", "result"
DAYS, MOST_GB = 7, 50
MOST_JOBS, MOST_WAITING = 100, 20
DAY = 86_400.0
_AROUND = 1024 * 1024
"""What manifest and tables of an archive may take beside the recordings."""


@dataclass(frozen=True)
class Limits:
    """For so many days results are kept, at most so many bytes of them, and at most half of the disk.

    0 bytes stands for a twentieth of the disk, at most 50 GB.
    """

    days: int = DAYS
    size: int = 0


def limits(settings: dict[str, object]) -> Limits:
    """From the service's settings."""
    days, size = (int(str(settings.get(key) or 0)) for key in ("export_days", "export_gigabytes"))
    return Limits(days or DAYS, size * GB)


@dataclass
class Shelf:
    """All exports of the node, on one disk; blocking, one thread at a time."""

    disk: Disk
    limits: Limits
    jobs: dict[str, Job] = field(default_factory=dict)
    known: bool = False

    @property
    def size(self) -> int:
        """Bytes that exports may take; none while the disk is away, and never so much that recordings go."""
        try:
            now = os.statvfs(self.disk.root)
        except OSError:
            return 0
        whole = now.f_blocks * now.f_frsize
        return min(self.limits.size or min(whole // 20, MOST_GB * GB), whole // 2)

    @property
    def folder(self) -> Path:
        return Path(self.disk.root) / FOLDER

    def result(self, id: str) -> Path:
        """Where the result of an export grows and stays."""
        return self.folder / id / RESULT

    def open(self) -> None:
        """Read what is there, put what was cut off back into the queue, and clean up the rest.

        While the disk is away nothing is `known`; it is to be read once it is back.
        """
        self.known = Path(self.disk.root).is_dir()
        for place in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            try:
                self._take(place)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, Problem) as error:
                LOG.warning("%s is no export and is taken away: %s", place, error)
                _remove(place)

    def add(self, order: Order, wanted: int) -> Job:
        """Keep a new order of about `wanted` bytes, or find that of its id; Problem 409, 503."""
        if not self.known:
            self.open()
        if known := self.jobs.get(order.id):
            return known
        self._admit(wanted + _AROUND)
        made = Job(order, clock.now().timestamp(), total=wanted)
        try:
            if not self.folder.is_dir():
                self.folder.mkdir(0o750)
            self.save(made)
            files.sync_folder(self.folder)
        except OSError as error:
            _remove(self.folder / order.id)
            raise _refused(f"{self.disk.root} cannot be written: {error.strerror}.", 503) from error
        self.jobs[order.id] = made
        return made

    def save(self, one: Job) -> None:
        """Make what is known of a job survive a power cut; raises OSError."""
        files.write_json(self.folder / one.order.id / NOTE, one.as_dict(), 0o640)

    def end(self, one: Job, state: str, why: str = "") -> None:
        """A job is over; only one that is done keeps its result. Raises OSError if that cannot go."""
        one.move(state)
        one.why, one.ended, one.writing = why, clock.now().timestamp(), 0
        if state != "done":
            one.size = 0
        try:
            self.save(one)
        except OSError as error:
            LOG.error("that export %s is %s is not kept: %s", one.order.id, state, error)
        if state != "done":
            self.result(one.order.id).unlink(missing_ok=True)

    def remove(self, id: str) -> None:
        """Forget a job and its result."""
        self.jobs.pop(id, None)
        _remove(self.folder / id)

    def expire(self) -> None:
        """Take away one job that is too old; a clock that is set years ahead must not take all at once."""
        limit = clock.now().timestamp() - self.limits.days * DAY
        old = [one for one in list(self.jobs.values()) if one.over and one.ended < limit]
        if old:
            self.remove(min(old, key=lambda one: one.ended).order.id)

    def aside(self) -> int:
        """Bytes that recordings leave for exports."""
        return max(0, self.size - sum(one.held for one in list(self.jobs.values())))

    def reserve(self) -> int:
        """Bytes that stay free on the disk; raises OSError."""
        now = os.statvfs(self.disk.root)
        return self.disk.reserve(now.f_blocks * now.f_frsize)

    def _admit(self, wanted: int) -> None:
        waiting = sum(not one.over for one in list(self.jobs.values()))
        if waiting >= MOST_WAITING or len(self.jobs) >= MOST_JOBS:
            raise _refused(f"{waiting} exports wait and {len(self.jobs)} are kept, which is the most.", 409)
        claimed = sum(one.claimed for one in list(self.jobs.values()))
        if claimed + wanted > self.size:
            raise _refused(f"It needs about {_mb(wanted)}, and of the {_mb(self.size)} that exports of this "
                           f"node may take {_mb(max(0, self.size - claimed))} are left.", 409)  # fmt: skip
        promised = claimed - sum(one.held for one in list(self.jobs.values()))
        if (room := self._room() - promised) < wanted:
            raise _refused(f"It needs about {_mb(wanted)}, and {_mb(max(0, room))} may be written before the "
                           "reserve of the disk is touched.", 409)  # fmt: skip

    def _room(self) -> int:
        try:
            return self.disk.free() + self.disk.aside()
        except OSError as error:
            raise _refused(f"{self.disk.root} cannot be used: {error.strerror}.", 503) from error

    def _take(self, place: Path) -> None:
        if not ID.fullmatch(place.name):
            raise ValueError("its name is no id")
        empty: dict[str, Any] = {}
        one = jobs.restored(files.read_json(place / NOTE, empty))
        for other in place.iterdir():
            if other.name != NOTE and (other.name != RESULT or (one.over and one.state != "done")):
                _remove(other)
        if one.state == "done" and results.size(place / RESULT) != one.size:
            raise ValueError("its result is not as long as it was")
        if one.made and not one.over and not _there(place / RESULT, one):
            LOG.warning("export %s begins anew: its finished files are gone, or torn", place.name)
            one.made = []
        self.jobs[place.name] = one


def _remove(place: Path) -> None:
    try:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    except OSError as error:
        LOG.error("%s cannot be taken away: %s", place, error)


def _there(path: Path, one: Job) -> bool:
    """Whether the finished files of a job are in its result; what came next shares blocks with them."""
    edges = (place for made in one.made
             for place in (max(0, made.offset - 1), made.offset, made.offset + made.size - 1))  # fmt: skip
    try:
        return results.size(path) >= one.end and results.whole(path, edges)
    except FileNotFoundError:
        return False


def _mb(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"


def _refused(why: str, status: int) -> Problem:
    remedy = "Choose a shorter span or fewer channels, or delete exports that are no longer needed."
    return Problem("export-refused", "Nothing was exported.", why, remedy, status)
