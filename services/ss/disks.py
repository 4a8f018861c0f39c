"""The storage folders: how full each is, which one takes the next file, and which one has failed."""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from services.runtime.health import Health

LOG = logging.getLogger(__name__)
T = TypeVar("T")

REST_SECONDS = 15.0
"""A folder that failed gets no new file for so long."""
LEAST_RESERVE, MOST_RESERVE = 32 * 1024 * 1024, 10 * 1024**3
GB = 1_000_000_000


@dataclass
class Disk:
    """One storage folder. Everything that may wait for it runs in its own thread."""

    root: str
    used: int = 0
    locked: int = 0
    failed_at: float = -REST_SECONDS
    aside: Callable[[], int] = lambda: 0
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "disk"))

    async def run(self, work: Callable[..., T], *given: object) -> T:
        """Do something on this disk, after what was asked of it before."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, *given)

    @property
    def resting(self) -> bool:
        """Whether it failed a moment ago."""
        return monotonic() - self.failed_at < REST_SECONDS

    def free(self) -> int:
        """Bytes that recordings may still take; raises OSError.

        Neither the reserve is theirs, nor what is kept `aside` for exports.
        """
        now = os.statvfs(self.root)
        return now.f_bavail * now.f_frsize - self.reserve(now.f_blocks * now.f_frsize) - self.aside()

    @staticmethod
    def reserve(size: int) -> int:
        """What stays free of a disk of `size` bytes: a twentieth, within bounds."""
        return min(max(size // 20, LEAST_RESERVE), MOST_RESERVE)


class Disks:
    """All storage folders of the node."""

    def __init__(self, roots: list[str], health: Health) -> None:
        self.all = [Disk(root) for root in roots]
        self._health = health

    def choose(self) -> Disk | None:
        """The folder with the most room among those that work; None if none does."""
        best: tuple[int, Disk] | None = None
        for disk in self.all:
            if disk.resting:
                continue
            try:
                room = disk.free()
            except OSError as error:
                self.failed(disk, error)
                continue
            if best is None or room > best[0]:
                best = room, disk
        return best[1] if best else None

    def failed(self, disk: Disk, error: OSError) -> None:
        """Writing there did not work: others take over, and health says why."""
        disk.failed_at = monotonic()
        reason = f"{disk.root} takes no recordings: {error.strerror or error}."
        LOG.error("%s", reason)
        self._health.set(f"disk {disk.root}", False, reason)

    def worked(self, disk: Disk) -> None:
        """Something was written."""
        if not disk.resting:
            self._health.set(f"disk {disk.root}", True)

    def only_locked(self, disk: Disk, so: bool) -> None:
        """Room is wanted of a disk, and all that could be deleted is locked: a person must decide."""
        text = f"{disk.root} is full of locked recordings: nothing else can be deleted, recording will stop."
        self._health.alarm(f"locked {disk.root}", text if so else "")

    def of(self, root: str) -> Disk | None:
        """The disk of a storage folder; None if the inventory no longer has it."""
        return next((disk for disk in self.all if disk.root == root), None)

    def close(self) -> None:
        """Let work that has begun end."""
        for disk in self.all:
            disk.pool.shutdown(wait=True)
