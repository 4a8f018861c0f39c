"""What is missing of a timeline: why nothing was recorded there, and what becomes of it."""

import logging
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from services.runtime import clock
from services.ss import timeline, tracks
from services.ss.entry import CAMERA, MILLI, SECOND
from services.ss.fetch.runner import STAYS, Fetcher, Owing
from services.ss.reasons import RECORDED, UNKNOWN, UNPLANNED, Reasons, Span
from services.ss.timeline import Interval

LOG = logging.getLogger(__name__)

SLIVER, GONE_SECONDS = 10 * SECOND, 60 * SECOND
"""How exactly the borders of reasons are known; the least that counts as recorded and lost, a file."""
GONE = "gone"
"""Nothing stood in the way, and nothing is there any more."""


@dataclass(frozen=True)
class Gap:
    """[start, end), microseconds since 1970, of which nothing can be shown.

    `reason` is a state of reasons, RECORDER, NODE, CLOCK or GONE, `detail` more of it in a sentence or "".
    `owing` is what is fetched of it; `part`: something was, and this stays.
    """

    start: int
    end: int
    reason: str
    detail: str = ""
    owing: Owing | None = None
    part: bool = False


class Gaps:
    """Knows what the witness saw and what is fetched; blocking, safe in any thread."""

    def __init__(self, reasons: Reasons, fetcher: Fetcher) -> None:
        self._reasons, self._fetcher = reasons, fetcher

    def told(
        self, channel: str, only: str, found: list[Interval], span: tuple[int, int]
    ) -> list[dict[str, Any]]:
        """What lies in a span between the intervals found of a channel, of a stream `only` or of both."""
        now = round(clock.now().timestamp() * SECOND)
        holes = timeline.missing(found, span[0], min(span[1], now))
        if not holes:
            return []
        keys = [tracks.key(channel, only)] if only else list(tracks.keys(channel))
        known = [self._known(key, now) for key in keys]
        owing = self._fetcher.owing(channel) if keys[0] == channel else []
        made = (gap for hole in holes for gap in _explained(hole, known, now))
        return [_told(_fetched(one, found)) for gap in made for one in _owed(gap, owing)]

    def _known(self, track: str, now: int) -> list[Span]:
        try:
            return self._reasons.spans(track, now)
        except (sqlite3.Error, OSError) as error:
            LOG.error("why recordings have gaps cannot be read: %s", error)
            return []


def _explained(hole: tuple[int, int], known: list[list[Span]], now: int) -> list[Gap]:
    """A gap in parts of one reason each; what stood in the way of one stream counts before what the other
    one was not planned for, or is not known of it."""
    merged = [Gap(*hole, UNKNOWN)]
    for spans in known:
        open = (UNKNOWN, UNPLANNED)
        merged = [part for one in merged for part in (_cut(one, spans) if one.reason in open else [one])]
    return [one for one in map(_lost, _smooth(merged)) if not _newest(one, now)]


def _cut(said: Gap, spans: list[Span]) -> list[Gap]:
    """A gap as spans tell of it; where they say nothing it stays as it is."""
    parts: list[Gap] = []
    reached = said.start
    first = max(0, bisect_right(spans, reached, key=lambda span: span.start) - 1)
    for one in spans[first:]:
        low, high = max(one.start, reached), min(one.end, said.end)
        if one.start >= said.end:
            break
        if low < high:
            parts += [replace(said, start=reached, end=low)] if low > reached else []
            parts.append(Gap(low, high, one.reason, one.detail))
            reached = high
    return [*parts, replace(said, start=reached)] if reached < said.end else parts


def _smooth(parts: list[Gap]) -> list[Gap]:
    """Moments of which nothing is known, or nothing was the matter, belong to a reason beside them."""
    kept: list[Gap] = []
    waits: int | None = None
    for one in parts:
        weak = one.reason in (UNKNOWN, RECORDED) and one.end - one.start < SLIVER and len(parts) > 1
        if weak and kept:
            kept[-1] = replace(kept[-1], end=one.end)
        elif weak:
            waits = one.start if waits is None else waits
        else:
            begun = replace(one, start=one.start if waits is None else waits)
            waits = None
            if kept and (kept[-1].reason, kept[-1].detail) == (begun.reason, begun.detail):
                kept[-1] = replace(kept[-1], end=begun.end)
            else:
                kept.append(begun)
    return kept or [Gap(parts[0].start, parts[-1].end, UNKNOWN)]


def _lost(one: Gap) -> Gap:
    if one.reason != RECORDED:
        return one
    return replace(one, reason=GONE if one.end - one.start >= GONE_SECONDS else UNKNOWN)


def _newest(one: Gap, now: int) -> bool:
    """What has not been written yet is not missing."""
    return one.reason == UNKNOWN and one.end > now - SLIVER and one.end - one.start < SLIVER


def _owed(gap: Gap, owing: list[Owing]) -> Iterator[Gap]:
    """A gap cut where what is fetched begins and ends, but not into slivers."""
    reached = gap.start
    for one in sorted(owing, key=lambda owed: owed.job.start):
        low, high = max(one.job.start, reached), min(one.job.end, gap.end)
        low = reached if low - reached < SECOND else low
        high = gap.end if gap.end - high < SECOND else high
        if high - low < SECOND or high <= reached:
            continue
        if low > reached:
            yield replace(gap, start=reached, end=low)
        yield replace(gap, start=low, end=high, owing=one)
        reached = high
    if reached < gap.end:
        yield replace(gap, start=reached)


def _fetched(gap: Gap, found: list[Interval]) -> Gap:
    """Whether the camera gave something of the gap that a job was about."""
    if gap.owing is None or gap.owing.state != STAYS:
        return gap
    job = gap.owing.job
    here = (one for one in found if one.source == CAMERA)
    return replace(gap, part=any(one.start < job.end and one.end > job.start for one in here))


def _told(one: Gap) -> dict[str, Any]:
    told: dict[str, Any] = {"start": one.start / MILLI, "end": one.end / MILLI, "reason": one.reason}
    told |= {"detail": one.detail} if one.detail else {}
    if one.owing is None:
        return told
    job, reached = one.owing.job, min(one.owing.reached, one.owing.job.end)
    fetch: dict[str, Any] = {"state": one.owing.state, "why": job.why}
    if one.owing.state == STAYS:
        return told | {"fetch": fetch | {"part": one.part}}
    left = job.end - max(reached, job.start)
    done = round(1 - left / (job.end - job.start), 3)
    return told | {"fetch": fetch | {"done": done, "seconds": left / SECOND}}
