"""From 32-bit RTP timestamps in decoding order to monotonic decode times and presentation offsets."""

import heapq
from collections import deque

_WRAP = 1 << 32
_MAX_REORDER = 16
_MAX_DEPTH = 8


class Timeline:
    """Clock of one video track, in ticks of its RTP clock, from `start` on.

    RTP carries presentation times in decoding order. Without B-frames both are equal. The first frame that is
    shown before its predecessor reveals B-frames: from then on the decode time is the n-th smallest
    presentation time, delayed by the depth seen. A jump of more than ten seconds either way, or back by more
    than frames are ever reordered, is a camera that set its clock: the timeline goes on one frame later.
    """

    def __init__(self, clock_rate: int, start: int = 0) -> None:
        self.duration = clock_rate // 25
        self._longest = 10 * clock_rate
        self._reorder_window = 2 * clock_rate
        self._last_rtp: int | None = None
        self._pts = self._newest = start
        self._dts = start - 1
        self._depth = 0
        self._recent: deque[int] = deque(maxlen=_MAX_REORDER)
        self._waiting: list[int] = []

    def place(self, rtp: int) -> tuple[int, int]:
        """Decode time and presentation offset (may be negative for some frames as B-frames set in)."""
        if self._last_rtp is not None:
            step = (rtp - self._last_rtp + _WRAP // 2) % _WRAP - _WRAP // 2
            if 0 < step <= self._longest and not self._depth and self._pts == self._newest:
                return self._follow(rtp, step)
            self._advance(step)
        self._last_rtp = rtp
        self._measure_depth()
        dts = self._decode_time()
        self._dts = dts
        return dts, self._pts - dts

    @property
    def end(self) -> int:
        """Just behind the latest frame."""
        return self._newest + self.duration

    def _follow(self, rtp: int, step: int) -> tuple[int, int]:
        """Place a frame as most are: shown behind all others, while none was reordered."""
        self._last_rtp = rtp
        self._pts = self._newest = pts = self._pts + step
        self.duration = step
        self._recent.append(pts)
        self._dts = dts = max(pts, self._dts + 1)
        return dts, pts - dts

    def interrupted(self) -> None:
        """Place the next frame one frame later, whatever its timestamp."""
        self._last_rtp = None
        self._restart()

    def _restart(self) -> None:
        self._pts = self._newest + self.duration
        self._recent.clear()
        self._waiting.clear()

    def _advance(self, step: int) -> None:
        backwards = -self._reorder_window < step < 0 and self._may_be_earlier(self._pts + step)
        if abs(step) > self._longest or (step < 0 and not backwards):
            self._restart()
        else:
            self._pts = max(0, self._pts + step)
        if self._pts > self._newest:
            if not self._depth:
                self.duration = self._pts - self._newest
            self._newest = self._pts

    def _may_be_earlier(self, pts: int) -> bool:
        """Whether a frame is reordered; a clock that was set back repeats times, or skips many frames."""
        return pts not in self._recent and sum(1 for one in self._recent if one > pts) <= _MAX_DEPTH

    def _measure_depth(self) -> None:
        if self._pts < self._newest:
            self._depth = max(self._depth, sum(pts > self._pts for pts in self._recent))
        self._recent.append(self._pts)

    def _decode_time(self) -> int:
        if not self._depth:
            return max(self._pts, self._dts + 1)
        heapq.heappush(self._waiting, self._pts)
        if len(self._waiting) <= self._depth:
            return self._dts + 1
        return max(heapq.heappop(self._waiting), self._dts + 1)
