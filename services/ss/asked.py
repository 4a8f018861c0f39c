"""Reading what is asked of DSS_SS: bodies of JSON, and moments in milliseconds."""

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from services.media.plans import MAIN, SUB
from services.runtime.errors import Problem
from services.ss.entry import LATEST, MILLI

LARGEST_BODY = 64 * 1024


async def body(request: web.Request, wrong: Callable[[str], Problem]) -> dict[str, Any]:
    """The JSON object of a request; raises what `wrong` makes of the reason where there is none."""
    if (request.content_length or 0) > LARGEST_BODY or len(data := await request.read()) > LARGEST_BODY:
        raise wrong("It is too long.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise wrong("It is not JSON.") from error
    if not isinstance(found, dict):
        raise wrong("It is no JSON object.")
    return found


def stream(value: object) -> str:
    """Which stream is wanted; ValueError for what is none."""
    if value not in (MAIN, SUB):
        raise ValueError(f"{value!r:.40} is neither {MAIN} nor {SUB}")
    return str(value)


def moment(value: Any) -> int:  # noqa: ANN401 - JSON
    """Microseconds since 1970 of whole milliseconds; ValueError for what is none, or cannot be looked for."""
    try:
        found = int(value) * MILLI
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{value!r:.40} is no number") from error
    if abs(found) > LATEST:
        raise ValueError("more than the index can hold")
    return found
