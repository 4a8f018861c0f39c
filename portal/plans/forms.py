"""The form of a recording plan: spans of a day as text, and the hours of a week as cells."""

import re
from collections.abc import Mapping
from typing import Any

from services.media.plans import CONTINUOUS, DAY_MINUTES, EVENT, MAIN, Plan, WeekSpan

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MIXED, NOTHING = "mixed", "nothing"
_SPAN = re.compile(r"(\d{1,2}):(\d\d)\s*(?:-|to)\s*(\d{1,2}):(\d\d)")


def spans_of(text: str, kind: str) -> list[dict[str, Any]]:
    """`08:00-12:00, 13:30-24:00` as spans of a day; ValueError names what is none."""
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        if not (match := _SPAN.fullmatch(part)):
            raise ValueError(f"{part[:40]!r} is not of the form 08:00-12:00")
        hours = [int(number) for number in match.groups()]
        if hours[1] > 59 or hours[3] > 59:
            raise ValueError(f"{part[:40]!r} has more than 59 minutes in an hour")
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if not start < end <= DAY_MINUTES:
            raise ValueError(f"{part[:40]!r} does not end after its beginning, by 24:00")
        found.append({"start": start, "end": end, "kind": kind})
    return found


def text_of(day: tuple[WeekSpan, ...], kind: str) -> str:
    """The spans of one kind, as `spans_of` reads them."""
    return ", ".join(f"{_clock(one.start)}-{_clock(one.end)}" for one in day if one.kind == kind)


def wanted(form: Mapping[str, str]) -> dict[str, Any]:
    """What a form asks for; ValueError says what of it cannot be read."""
    week = []
    for number, name in enumerate(DAYS):
        try:
            week.append([
                span
                for kind in (CONTINUOUS, EVENT)
                for span in spans_of(form.get(f"{kind}-{number}", ""), kind)
            ])  # fmt: skip
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    seconds = {name: form.get(name, "") for name in ("pre", "post")}
    for name, text in seconds.items():
        if not re.fullmatch(r"\d{1,4}", text):
            raise ValueError(f"{name} is not a number of seconds")
    told: dict[str, Any] = {"mode": form.get("mode", ""), "week": week}
    told |= {name: form.get(name) == "on" for name in ("sound", "fetch")}
    told |= {"streams": form.get("streams") or MAIN}
    return told | {name: int(text) for name, text in seconds.items()}


def cells(day: tuple[WeekSpan, ...]) -> list[str]:
    """What each of the 24 hours is: continuous, event, nothing, or mixed."""
    minutes = [NOTHING] * DAY_MINUTES
    for kind in (EVENT, CONTINUOUS):
        for one in (one for one in day if one.kind == kind):
            minutes[one.start : one.end] = [kind] * (one.end - one.start)
    hours = (set(minutes[hour * 60 : hour * 60 + 60]) for hour in range(24))
    return [kinds.pop() if len(kinds) == 1 else MIXED for kinds in hours]


def rows(plan: Plan) -> list[dict[str, Any]]:
    """The seven days as the page shows them."""
    return [
        {"name": name, "cells": cells(day), CONTINUOUS: text_of(day, CONTINUOUS), EVENT: text_of(day, EVENT)}
        for name, day in zip(DAYS, plan.week, strict=True)
    ]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
