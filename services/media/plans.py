"""When a channel is recorded: always, on events, by hand, or by a template of the week in local time."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

OFF, CONTINUOUS, EVENT, MANUAL, WEEKLY = "off", "continuous", "event", "manual", "weekly"
MODES = (OFF, CONTINUOUS, EVENT, MANUAL, WEEKLY)
MAIN, SUB, BOTH = "main", "sub", "both"
STREAMS = {MAIN: (MAIN,), SUB: (SUB,), BOTH: (MAIN, SUB)}
"""Which streams of the camera each choice records."""
KINDS = (CONTINUOUS, EVENT, MANUAL)
"""Why a file was recorded."""
DAYS, DAY_MINUTES, MOST_SPANS = 7, 1440, 24
LEAST_PRE, PRE, MOST_PRE = 0, 10, 30
LEAST_POST, POST, MOST_POST = 1, 30, 600


@dataclass(frozen=True)
class WeekSpan:
    """Minutes of a day from `start` up to, not including, `end`, local time; continuous or event."""

    start: int
    end: int
    kind: str


Week = tuple[tuple[WeekSpan, ...], ...]
NO_WEEK: Week = ((),) * DAYS


@dataclass(frozen=True)
class Plan:
    """When a channel is recorded; `week`, Monday first, counts in mode weekly only.

    `pre` and `post`: seconds that are recorded before an event and after its end. `zone` is an IANA name.
    `sound`: what is heard is recorded too. Whoever speaks near a camera has to be told first, so that it
    is off unless it is asked for. `fetch`: what is missing is fetched from the camera's own storage, where it
    has one. `streams`: main, sub or both, as far as the camera has them.
    """

    mode: str = OFF
    week: Week = NO_WEEK
    pre: int = PRE
    post: int = POST
    zone: str = "UTC"
    sound: bool = False
    fetch: bool = True
    streams: str = MAIN

    def at(self, moment: datetime) -> str | None:
        """What the plan alone asks for at a moment with a zone: continuous, event or, None, nothing."""
        if self.mode in (CONTINUOUS, EVENT):
            return self.mode
        if self.mode != WEEKLY:
            return None
        local = moment.astimezone(zone_of(self.zone))
        minute = local.hour * 60 + local.minute
        kinds = {one.kind for one in self.week[local.weekday()] if one.start <= minute < one.end}
        return CONTINUOUS if CONTINUOUS in kinds else EVENT if kinds else None

    @property
    def old_word(self) -> str:
        """What releases without plans are told: they had better record too much than nothing."""
        return OFF if self.mode in (OFF, MANUAL) else CONTINUOUS

    def as_dict(self) -> dict[str, Any]:
        """The form in which main tells it to its nodes."""
        return asdict(self) | {"week": [[asdict(one) for one in day] for day in self.week]}


def read(row: dict[str, Any]) -> Plan:
    """The plan of a channel's row: `plan`, or the word `record` of a main that knows no other.

    A plan that this release does not understand is replaced by that word too.
    """
    given = row.get("plan")
    if isinstance(given, dict):
        try:
            return checked(given)
        except (ValueError, KeyError, TypeError):
            pass
    return Plan(CONTINUOUS if row.get("record") == CONTINUOUS else OFF)


def checked(data: dict[str, Any]) -> Plan:
    """A plan of its JSON form; ValueError, KeyError or TypeError says what is wrong with it."""
    times, flags = (
        (int(data["pre"]), int(data["post"])),
        (_flag(data.get("sound")), _flag(data.get("fetch", True))),
    )
    plan = Plan(str(data["mode"]), week(data["week"]), *times, str(data["zone"]), *flags,
                str(data.get("streams", MAIN)))  # fmt: skip
    _one_of(plan.mode, MODES)
    _one_of(plan.streams, STREAMS)
    _within("pre", plan.pre, LEAST_PRE, MOST_PRE)
    _within("post", plan.post, LEAST_POST, MOST_POST)
    zone_of(plan.zone)
    return plan


def week(days: list[list[dict[str, Any]]]) -> Week:
    """Seven days, Monday first, in order and with overlaps as they are; errors as of `checked`."""
    if len(days) != DAYS:
        raise ValueError(f"a week has {DAYS} days, not {len(days)}")
    return tuple(_day(rows) for rows in days)


def _day(rows: list[dict[str, Any]]) -> tuple[WeekSpan, ...]:
    if len(rows) > MOST_SPANS:
        raise ValueError(f"a day has at most {MOST_SPANS} spans, not {len(rows)}")
    spans = [WeekSpan(int(row["start"]), int(row["end"]), str(row["kind"])) for row in rows]
    for one in spans:
        if not 0 <= one.start < one.end <= DAY_MINUTES:
            raise ValueError(f"minutes {one.start} to {one.end} are no span of a day")
        if one.kind not in (CONTINUOUS, EVENT):
            raise ValueError(f"{one.kind[:32]!r} is neither continuous nor event")
    return tuple(sorted(spans, key=lambda one: (one.start, one.end, one.kind)))


def _one_of(word: str, known: Collection[str]) -> None:
    if word not in known:
        raise ValueError(f"{word[:32]!r} is none of {', '.join(known)}")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} to {most} seconds, not {value}")


def _flag(value: object) -> bool:
    """A word that a main of an earlier release does not say is false."""
    if value not in (None, True, False):
        raise ValueError(f"{value!r:.32} is neither true nor false")
    return value is True


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; ValueError for one that is not known here."""
    # A node need not have the tables of zones for the one that has none.
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name[:64]!r} is no time zone that is known here") from error
