"""What of a span of time is recorded: half-open intervals, why, what is locked, where the clock was set."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge

from services.media.plans import CONTINUOUS, MAIN
from services.ss.entry import CLOCK, GAP, JOINED, LATEST, SECOND, Entry, joins

JOIN = "join"
LEAST = 2 * SECOND
"""What one stream has of a gap of the other counts from this length on (microseconds): about a GOP."""


@dataclass(frozen=True)
class Interval:
    """Recorded without a break from `start` up to, not including, `end` (microseconds since 1970).

    `after`: gap, clock or join, how it follows the interval before; a clock that was set back gives intervals
    that overlap, in the order of recording. After a join it is `kind`, `locked`, `source` or `stream` that
    differ.
    """

    start: int
    end: int
    after: str
    kind: str = CONTINUOUS
    locked: bool = False
    source: str = ""
    stream: str = MAIN


WORDS = {GAP: "gap", CLOCK: "clock", JOINED: "gap"}
Spans = list[tuple[int, int]]


def intervals(
    entries: list[Entry], start: int, end: int, locked: Spans | None = None, stream: str = MAIN
) -> list[Interval]:
    """The intervals in [start, end) of files in the order of recording; `locked` is sorted and apart."""
    found: list[Interval] = []
    last: Entry | None = None
    for one in entries:
        low, high = max(one.start, start), min(one.end, end)
        if low >= high:
            continue
        goes_on = last is not None and joins(last, one)
        if goes_on and (one.kind, one.source) == (found[-1].kind, found[-1].source):
            found[-1] = replace(found[-1], end=max(high, found[-1].end))
        else:
            after = JOIN if goes_on else WORDS[one.join]
            found.append(Interval(low, high, after, one.kind, source=one.source, stream=stream))
        last = one
    return [part for one in found for part in _parts(one, locked or [])]


def _parts(whole: Interval, locked: Spans) -> Iterator[Interval]:
    """An interval cut where locked spans begin and end."""
    reached, after = whole.start, whole.after
    for low, high in locked:
        low, high = max(low, reached), min(high, whole.end)
        if low >= high:
            continue
        if low > reached:
            yield replace(whole, start=reached, end=low, after=after)
            after = JOIN
        yield replace(whole, start=low, end=high, after=after, locked=True)
        reached, after = high, JOIN
    if reached < whole.end:
        yield replace(whole, start=reached, after=after)


def filled(first: list[Interval], second: list[Interval]) -> list[Interval]:
    """The first intervals, and what the second ones have where those lack more than a moment."""
    if not second:
        return first
    free = _between(first)
    parts = [part for one in second for part in _inside(one, free)]
    merged: list[Interval] = []
    # Where a clock was set back the first ones keep the order of recording.
    for one in merge(first, parts, key=lambda interval: interval.start):
        touches = bool(merged) and abs(one.start - merged[-1].end) <= SECOND // 2
        merged.append(one if one.after == WORDS[CLOCK] else replace(one, after=_follows(one, touches)))
    return merged


def _follows(one: Interval, touches: bool) -> str:
    return JOIN if touches else WORDS[GAP]


def missing(found: list[Interval], start: int, end: int) -> Spans:
    """What of [start, end) no interval has; between two files that join nothing is missing."""
    holes = ((max(low, start), min(high, end)) for low, high in _between(found))
    return [(low, high) for low, high in holes if high - low > SECOND // 2]


def _between(found: list[Interval]) -> Spans:
    """Where none of these is, in order; the last span has no end."""
    free, reached = [], 0
    for one in sorted(found, key=lambda interval: interval.start):
        if one.start > reached:
            free.append((reached, one.start))
        reached = max(reached, one.end)
    return [*free, (reached, LATEST)]


def _inside(one: Interval, free: Spans) -> Iterator[Interval]:
    """The parts of an interval that lie in free spans; of one that is cut, none too short to be shown."""
    first = max(0, bisect_right(free, one.start, key=lambda span: span[0]) - 1)
    for low, high in free[first:]:
        if low >= one.end:
            return
        part = replace(one, start=max(low, one.start), end=min(high, one.end))
        if part.end - part.start >= min(LEAST, one.end - one.start):
            yield part


def covered(found: list[Interval]) -> int:
    """Microseconds of which there is at least one recording."""
    total, reached = 0, 0
    for one in sorted(found, key=lambda interval: interval.start):
        total += max(0, one.end - max(one.start, reached))
        reached = max(reached, one.end)
    return total
