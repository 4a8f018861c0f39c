"""What of a span of time is recorded: half-open intervals, and where the clock was set."""

from dataclasses import dataclass

from services.ss.entry import CLOCK, GAP, JOINED, Entry


@dataclass(frozen=True)
class Interval:
    """Recorded without a break from `start` up to, not including, `end` (microseconds since 1970).

    `after`: gap or clock, how it follows the interval before; a clock that was set back gives intervals
    that overlap, in the order of recording.
    """

    start: int
    end: int
    after: str


WORDS = {GAP: "gap", CLOCK: "clock", JOINED: "gap"}


def intervals(entries: list[Entry], start: int, end: int) -> list[Interval]:
    """The intervals in [start, end) of files in the order of recording."""
    found: list[Interval] = []
    shown = -2
    for one in entries:
        low, high = max(one.start, start), min(one.end, end)
        if low >= high:
            continue
        if one.join == JOINED and one.seq == shown + 1:
            found[-1] = Interval(found[-1].start, max(high, found[-1].end), found[-1].after)
        else:
            found.append(Interval(low, high, WORDS[one.join]))
        shown = one.seq
    return found


def covered(found: list[Interval]) -> int:
    """Microseconds of which there is at least one recording."""
    total, reached = 0, 0
    for one in sorted(found, key=lambda interval: interval.start):
        total += max(0, one.end - max(one.start, reached))
        reached = max(reached, one.end)
    return total
