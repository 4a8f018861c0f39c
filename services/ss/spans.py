"""The headers Range (RFC 2326 §3.6, §3.7, §12.29) and Scale (§12.34): what to show, and how fast."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from services.runtime import clock
from services.ss.entry import SECOND

SLOWEST, FASTEST = 1 / 16, 64.0
_HOURS = re.compile(r"(\d{1,5}):([0-5]?\d):([0-5]?\d(?:\.\d*)?)")
_LATEST = 253_402_300_799 * SECOND


@dataclass(frozen=True)
class Span:
    """From `start` to `end`, microseconds since 1970; None: where it stands, or until there is no more."""

    start: int | None = None
    end: int | None = None


def span(text: str, origin: int) -> Span:
    """Read a Range; npt counts seconds from `origin`. ValueError if it is none."""
    unit, equals, rest = text.split(";")[0].strip().partition("=")
    if not equals or rest.count("-") < 1:
        raise ValueError(f"{text[:60]!r} is no range")
    begin, _, end = (part.strip() for part in rest.partition("-"))
    kind = unit.strip().lower()
    if kind not in ("clock", "npt"):
        raise ValueError(f"{unit[:20]!r} is neither clock nor npt")
    ends = (None if not part else moment(part) if kind == "clock" else origin + _npt(part)
            for part in (begin, end))  # fmt: skip
    return Span(*ends)


def moment(text: str) -> int:
    """An ISO 8601 time with its zone in microseconds since 1970; ValueError otherwise."""
    # In a URL a plus sign stands for a blank.
    return _micro(clock.parse(text.strip().replace(" ", "+")))


def told(start: int, end: int | None = None) -> str:
    """A Range in clock units."""
    return f"clock={_written(start)}-{'' if end is None else _written(end)}"


def told_npt(start: int, end: int | None, origin: int) -> str:
    """A Range in seconds from `origin`."""
    begin, stop = (None if at is None else f"{max(0, at - origin) / SECOND:.6f}" for at in (start, end))
    return f"npt={begin}-{stop or ''}"


def scale(text: str) -> float:
    """The nearest speed there is to a wanted one; negative is backwards. ValueError if it is no number."""
    wanted = float(text)
    if not math.isfinite(wanted) or not wanted:
        raise ValueError(f"{text[:20]!r} is no speed")
    return math.copysign(min(FASTEST, max(SLOWEST, abs(wanted))), wanted)


def _npt(part: str) -> int:
    if found := _HOURS.fullmatch(part):
        return int((int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])) * SECOND)
    if not re.fullmatch(r"\d{1,9}(\.\d*)?", part):
        raise ValueError(f"{part[:20]!r} is no time")
    return round(float(part) * SECOND)


def _written(at: int) -> str:
    seconds, rest = divmod(min(at, _LATEST), SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}.{rest:06d}Z"


def _micro(at: datetime) -> int:
    whole = int(at.replace(microsecond=0).timestamp())
    if whole < 0:
        raise ValueError("it lies before 1970")
    return whole * SECOND + at.microsecond
