"""The last GOPs of a channel that waits for an event: what is written first when one comes."""

from collections import deque
from dataclasses import dataclass, field, replace

from services.media.batch import Batch

TOTAL = 512 * 1024 * 1024
LARGEST = 32 * 1024 * 1024
"""Bytes that all channels, and that one channel, may hold in memory."""


@dataclass
class _Gop:
    arrived: float
    batches: list[Batch] = field(default_factory=list)


class Held:
    """Whole GOPs that reach back as far as asked, and no more bytes than allowed."""

    def __init__(self) -> None:
        self.size = 0
        self._gops: deque[_Gop] = deque()
        self._lost = False

    def add(self, one: Batch, now: float, seconds: float, most: int) -> None:
        """Hold a batch; `seconds` before `now` (monotonic) stay reachable within `most` bytes."""
        if one.key:
            self._gops.append(_Gop(now))
        elif not self._gops:
            self._lost = True
            return
        self._gops[-1].batches.append(one)
        self.size += len(one.body)
        while len(self._gops) > 1 and (self._gops[1].arrived <= now - seconds or self.size > most):
            self._drop()
        if self.size > most:
            self._drop()

    def clear(self) -> None:
        """Let go of everything: what follows does not join it."""
        while self._gops:
            self._drop()

    def drain(self) -> list[Batch]:
        """All that is held, from the oldest on; the first one says whether something before it was let go."""
        found = [one for gop in self._gops for one in gop.batches]
        if found and self._lost:
            found[0] = replace(found[0], gap=True)
        self._gops.clear()
        self.size, self._lost = 0, False
        return found

    def __bool__(self) -> bool:
        return bool(self._gops)

    def _drop(self) -> None:
        gone = self._gops.popleft()
        self.size -= sum(len(one.body) for one in gone.batches)
        self._lost = True


def share(channels: int) -> int:
    """Bytes that each of so many waiting channels may hold."""
    return min(LARGEST, TOTAL // max(1, channels))
