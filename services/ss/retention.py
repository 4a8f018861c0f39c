"""Room for what comes: the oldest recordings go first, by days, by bytes, and before a disk is full.

What is locked is never deleted, and does not count by bytes.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from services.runtime import clock
from services.ss.disks import GB, Disk, Disks
from services.ss.entry import SECOND, Entry
from services.ss.index import Index
from services.ss.locks import Locks

LOG = logging.getLogger(__name__)

PERIOD = 5.0
AT_ONCE = 64
DAY = 86_400 * SECOND
BY_AGE = 10
"""Files that one turn may delete by age alone: a clock that is set years ahead must not empty the archive."""


@dataclass(frozen=True)
class Quota:
    """How much is kept, 0 for no limit: `days` old at most, `size` bytes in all storage folders together."""

    days: int = 0
    size: int = 0


def quota(settings: dict[str, object]) -> Quota:
    """From the service's settings."""
    return Quota(int(str(settings.get("days") or 0)), int(str(settings.get("gigabytes") or 0)) * GB)


class Retention:
    """Deletes; recordings that are being written are never touched."""

    def __init__(self, disks: Disks, index: Index, kept: Quota, locks: Locks) -> None:
        self._disks = disks
        self._locks = locks
        self._index = index
        self._quota = kept

    async def run(self) -> None:
        """Keep room until cancelled."""
        while True:
            for disk in self._disks.all:
                try:
                    await disk.run(self.turn, disk)
                except OSError as error:
                    self._disks.failed(disk, error)
            await asyncio.sleep(PERIOD)

    def turn(self, disk: Disk) -> None:
        """Delete what is too old or too much; blocking."""
        disk.used, disk.locked = self._index.used(disk.root)
        for _ in range(AT_ONCE):
            excess = max(self._over_quota(disk), -disk.free())
            stuck = excess > 0 and disk.locked > 0 and not self._index.oldest(disk.root, 1)
            self._disks.only_locked(disk, stuck)
            if excess <= 0 or not self._delete(disk, self._index.oldest(disk.root, AT_ONCE), excess):
                break
        if self._quota.days:
            limit = int(clock.now().timestamp()) * SECOND - self._quota.days * DAY
            old = [one for one in self._index.oldest(disk.root, BY_AGE) if one.end < limit]
            self._delete(disk, old, disk.used)

    def make_room(self, disk: Disk, wanted: int) -> bool:
        """Delete at least `wanted` bytes of a disk that is full now; False if nothing could be deleted."""
        return self._delete(disk, self._index.oldest(disk.root, AT_ONCE), wanted)

    def _over_quota(self, disk: Disk) -> int:
        """Bytes above the quota; the folder that holds the oldest file gives first."""
        bytes_of = (self._index.used(one.root) for one in self._disks.all)
        total = sum(used - locked for used, locked in bytes_of)
        if not self._quota.size or total <= self._quota.size:
            return 0
        ages = {
            one.root: first[0].start for one in self._disks.all if (first := self._index.oldest(one.root, 1))
        }
        return total - self._quota.size if ages and min(ages, key=lambda r: ages[r]) == disk.root else 0

    def _delete(self, disk: Disk, entries: list[Entry], wanted: int) -> bool:
        """From the oldest on, until `wanted` bytes are free; a file goes before its entry."""
        gone: list[tuple[str, int]] = []
        freed = 0
        for one in entries:
            if freed >= wanted:
                break
            if not self._gone(one):
                continue
            freed += one.size
            gone.append((one.channel, one.seq))
            _remove_empty(one.path.parent)
        self._index.drop(gone)
        disk.used = max(0, disk.used - freed)
        if gone:
            LOG.info("%d old files gave %d MB of %s free", len(gone), freed // 1_000_000, disk.root)
        return bool(gone)

    def _gone(self, one: Entry) -> bool:
        """Delete a file unless it was locked since it was found."""
        with self._locks.guard:
            if self._locks.covers(one):
                return False
            one.path.unlink(missing_ok=True)
            return True


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
