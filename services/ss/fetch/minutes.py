"""Which part of a span a weekly plan wanted: minute by minute, as the plan is asked while it records."""

from datetime import UTC, datetime

from services.media.plans import CONTINUOUS, Plan
from services.ss.entry import SECOND

MINUTE = 60 * SECOND
MOST_MINUTES = 7 * 1440


def within(plan: Plan, start: int, end: int) -> list[tuple[int, int]]:
    """The spans of [start, end), microseconds since 1970, that are recorded always; of a week at most."""
    found: list[tuple[int, int]] = []
    low = start
    for _ in range(MOST_MINUTES):
        if low >= end:
            break
        high = min(end, (low // MINUTE + 1) * MINUTE)
        if plan.at(datetime.fromtimestamp(low / SECOND, UTC)) == CONTINUOUS:
            if found and found[-1][1] == low:
                found[-1] = found[-1][0], high
            else:
                found.append((low, high))
        low = high
    return found
