"""The fragments of a stream as parts and segments for HLS (draft-ietf-hls-rfc8216bis §4, appendix B)."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from services.mts.chunk import Chunk, Init
from services.mts.viewer import LiveViewer, Viewer
from services.mts.websocket import bodies

LOG = logging.getLogger(__name__)

TARGET_SECONDS = 4
"""No segment is longer, rounded; what a playlist lists has to last three times as long."""
LISTED_SECONDS = 3.0 * TARGET_SECONDS
KEEP_SECONDS = 2 * LISTED_SECONDS + TARGET_SECONDS
KEEP_BYTES = 48 * 1024 * 1024
_SHORTEST_SECONDS = 1.5
_LONGEST_SECONDS = TARGET_SECONDS + 0.45
_PART_SECONDS = 0.3
_SLACK = 1.1
_ENOUGH = 0.88
_MAX_PART_FRAMES = 1500


@dataclass
class Part:
    """Some frames that follow each other, as they stand in the forms of their chunks."""

    pieces: list[memoryview]
    seconds: float
    independent: bool

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.pieces))


@dataclass
class Segment:
    """Parts from a key frame on; `at` is when the first frame had come, in microseconds since 1970."""

    number: int
    map: int
    at: int
    broken: bool
    """Whether it does not continue the one before."""
    parts: list[Part] = field(default_factory=list)
    complete: bool = False

    @property
    def seconds(self) -> float:
        """Sum of its parts."""
        return sum(part.seconds for part in self.parts)


class Packager(LiveViewer):
    """One for all viewers of a stream. A part ends when the frame behind it is there, which tells its length.

    `part_target` (seconds) is 0 until it is known. Behind 28 seconds or 48 MB the oldest segments go.
    """

    pictures_only = True

    def __init__(self, on_gone: Callable[[Viewer], None], loud: bool) -> None:
        # It writes to nobody, so that the transport is never used.
        super().__init__(asyncio.Transport(), on_gone)
        self.loud = loud
        self.segments: deque[Segment] = deque()
        self.maps: dict[int, Init] = {}
        self.part_target = 0.0
        self.discontinuities = 0
        self.version = 0
        self.ended = False
        self._news = asyncio.Event()
        self._frames: list[Chunk] = []
        self._pieces: list[memoryview] = []
        self._broken = False
        self._size = 0
        self._last = 0
        self._step = 0.0

    def feed(self, chunk: Chunk) -> None:
        """Take one frame; whatever goes wrong ends this packager only."""
        try:
            self._take(chunk)
        except Exception:
            LOG.exception("a stream is not packaged for HLS any more")
            self.end()

    def interrupted(self) -> None:
        """The camera was lost: what has come is a segment, and the next one does not continue it."""
        self._close(self._frames[-1].ticks[1] if self._frames else 0, ends=True)
        self._waits_for_key = self._broken = True

    def tell(self, said: bytes) -> None:
        """A playlist has no place for words."""

    def end(self) -> None:
        self.ended = True
        self._tell_waiting()
        self._on_gone(self)

    async def reached(self, met: Callable[[], bool], seconds: float) -> bool:
        """Wait until `met()`; False when the time is over or the stream has ended."""
        until = monotonic() + seconds
        while not met():
            left = until - monotonic()
            if self.ended or left <= 0:
                return False
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                return met()
        return True

    def has(self, number: int, part: int | None) -> bool:
        """Whether a segment, or a part of it or anything behind that part, is there."""
        if not self.segments:
            return False
        last = self.segments[-1]
        if last.number != number:
            return last.number > number
        return last.complete or (part is not None and len(last.parts) > part)

    def _take(self, chunk: Chunk) -> None:
        init = (chunk.loud_init if self.loud else None) or chunk.init
        made = (chunk.loud if self.loud else None) or chunk.live
        if self.ended or init is None or made is None or (self._waits_for_key and not chunk.key):
            return
        fresh = not self.maps or self.maps[self._last].segment != init.segment
        if fresh and not chunk.key:
            self.interrupted()
            return
        self._border(chunk, fresh)
        if fresh:
            self._describe(init)
        self._waits_for_key = False
        self._frames.append(chunk)
        self._pieces += bodies(made)

    def _border(self, chunk: Chunk, fresh: bool) -> None:
        """End what ends before this frame."""
        if not self._frames:
            return
        begin, tick, scale = self._frames[0].ticks[0], chunk.ticks[0], self._scale
        step = (tick - self._frames[-1].ticks[0]) / scale
        self._measure(step)
        lasts = (tick - begin) / scale
        whole = self._whole(chunk, lasts) or fresh
        full = len(self._frames) >= 2 and (lasts >= _ENOUGH * self.part_target
                                           or lasts + step > self.part_target)  # fmt: skip
        if whole or full or len(self._frames) >= _MAX_PART_FRAMES or lasts >= self.part_target > 0:
            self._close(tick, whole)

    def _measure(self, step: float) -> None:
        """Parts of whole frames; longer than before only after two slow steps: one is a lost frame."""
        usual = min(step, self._step) if self._step else step
        self._step = step
        if not self.part_target or usual > self.part_target:
            self.part_target = round(_SLACK * usual * max(1, round(_PART_SECONDS / max(usual, 0.005))), 3)

    def _whole(self, chunk: Chunk, lasts: float) -> bool:
        """Whether the segment ends before this frame."""
        listed = self.segments[-1] if self.segments and not self.segments[-1].complete else None
        seconds = lasts + (listed.seconds if listed else 0.0)
        first = not self.maps or len(self.segments) <= 1
        if chunk.key and (seconds >= _SHORTEST_SECONDS or first):
            return True
        return seconds + self.part_target > _LONGEST_SECONDS

    def _close(self, tick: int, ends: bool) -> None:
        """The open part ends at a tick, and with it perhaps its segment."""
        if self._frames:
            segment = self._open()
            lasts = max(0.001, (tick - self._frames[0].ticks[0]) / self._scale)
            lasts = min(lasts, self.part_target or lasts)
            part = Part(self._pieces, lasts, any(one.key for one in self._frames))
            segment.parts.append(part)
            self._size += part.size
            self._frames, self._pieces = [], []
        if ends and self.segments:
            self.segments[-1].complete = True
            self._forget()
        self._tell_waiting()

    def _open(self) -> Segment:
        if self.segments and not self.segments[-1].complete:
            return self.segments[-1]
        number = self.segments[-1].number + 1 if self.segments else 0
        self.segments.append(Segment(number, self._last, self._frames[0].at, self._broken))
        self._broken = False
        return self.segments[-1]

    def _describe(self, init: Init) -> None:
        self._broken = self._broken or bool(self.maps)
        self._last = max(self.maps, default=-1) + 1
        self.maps[self._last] = init

    @property
    def _scale(self) -> int:
        return self.maps[self._last].timescale

    def _forget(self) -> None:
        total = sum(segment.seconds for segment in self.segments)
        while len(self.segments) > 1 and (total > KEEP_SECONDS or self._size > KEEP_BYTES):
            gone = self.segments.popleft()
            total -= gone.seconds
            self._size -= sum(part.size for part in gone.parts)
            self.discontinuities += gone.broken
        used = {segment.map for segment in self.segments} | {self._last}
        self.maps = {number: init for number, init in self.maps.items() if number in used}

    def _tell_waiting(self) -> None:
        self.version += 1
        self._news.set()
        self._news = asyncio.Event()
