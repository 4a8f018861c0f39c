"""Time as every part writes it: aware UTC for records, a monotonic clock for durations."""

import time
from datetime import UTC, datetime

LATEST_MS = 4_102_444_800_000
"""The year 2100, milliseconds since 1970: nobody may ask for what lies behind it."""


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`: `2026-01-31T10:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """The moment of an RFC 3339 text; ValueError if it has no zone or is no time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


def monotonic() -> float:
    """Seconds on a clock that no one sets; only differences mean anything."""
    return time.monotonic()
