"""What of a span of time is recorded: half-open intervals, why, what is locked, where the clock was set."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.media.plans import CONTINUOUS
from services.ss.entry import CLOCK, GAP, JOINED, Entry, joins

JOIN = "join"


@dataclass(frozen=True)
class Interval:
    """Recorded without a break from `start` up to, not including, `end` (microseconds since 1970).

    `after`: gap, clock or join, how it follows the interval before; a clock that was set back gives intervals
    that overlap, in the order of recording. After a join it is `kind`, `locked` or `source` that differ.
    """

    start: int
    end: int
    after: str
    kind: str = CONTINUOUS
    locked: bool = False
    source: str = ""


WORDS = {GAP: "gap", CLOCK: "clock", JOINED: "gap"}
Spans = list[tuple[int, int]]


def intervals(entries: list[Entry], start: int, end: int, locked: Spans | None = None) -> list[Interval]:
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
            found.append(
                Interval(low, high, JOIN if goes_on else WORDS[one.join], one.kind, source=one.source)
            )
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


def covered(found: list[Interval]) -> int:
    """Microseconds of which there is at least one recording."""
    total, reached = 0, 0
    for one in sorted(found, key=lambda interval: interval.start):
        total += max(0, one.end - max(one.start, reached))
        reached = max(reached, one.end)
    return total
