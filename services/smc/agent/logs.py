"""The last log lines of a service, from the journal."""

import json
from datetime import UTC, datetime
from typing import Any

from services.runtime.errors import Problem
from services.smc.agent import child

MOST_LINES, SECONDS = 1000, 5.0
LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")


async def last(units: tuple[str, ...], lines: int) -> list[str]:
    """At most `lines` (1 to 1000) lines, oldest first: `2026-01-31T10:00:00.000Z warning text`."""
    words = [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=json",
        f"--lines={max(1, min(lines, MOST_LINES))}",
    ]
    words += [f"--unit={unit}" for unit in units]
    try:
        ended = await child.run(words, SECONDS)
    except TimeoutError:
        raise Problem(
            "log-slow",
            "The log could not be read.",
            f"The journal did not answer within {SECONDS:.0f} seconds.",
            "Try again, or ask for fewer lines.",
            status=504,
        ) from None
    return [_line(json.loads(entry)) for entry in ended.out.splitlines()]


def _line(entry: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
    level = LEVELS[min(int(entry.get("PRIORITY", 6)), 7)]
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {level} {_text(entry.get('MESSAGE'))}"


def _text(message: object) -> str:
    # The journal gives text that is not UTF-8 as a list of bytes.
    if isinstance(message, list):
        message = bytes(message).decode(errors="replace")
    text = str(message or "")
    try:
        ours = json.loads(text) if text.startswith("{") else {}
    except ValueError:
        return text
    return f"{ours['message']}{_tail(ours)}" if "message" in ours else text


def _tail(ours: dict[str, Any]) -> str:
    trace = str(ours.get("trace", "")).strip().rpartition("\n")[2]
    return f" ({trace})" if trace else ""
