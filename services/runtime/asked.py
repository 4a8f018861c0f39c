"""Reading what a request asks: its body of JSON, within a bound."""

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from services.runtime.errors import Problem

LARGEST_BODY = 64 * 1024


async def body(
    request: web.Request, wrong: Callable[[str], Problem], largest: int = LARGEST_BODY
) -> dict[str, Any]:
    """The JSON object of a request, of `largest` bytes at most, whether its length is declared or not.

    Raises what `wrong` makes of the reason where there is none.
    """
    if (request.content_length or 0) > largest or len(data := await request.read()) > largest:
        raise wrong("It is too long.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise wrong("It is not JSON.") from error
    if not isinstance(found, dict):
        raise wrong("It is no JSON object.")
    return found
