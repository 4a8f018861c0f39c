"""What main has DSS_SS do, for its node only: recording by hand, events, locks of evidence."""

import asyncio
from dataclasses import asdict
from typing import Any

from aiohttp import web

from services.runtime.asked import body
from services.runtime.errors import Problem
from services.ss.asked import moment
from services.ss.entry import MILLI
from services.ss.fetch.runner import Fetcher
from services.ss.locks import Lock
from services.ss.plan import Plan
from services.ss.standing import LONGEST_EVENT
from services.ss.store import Store

LONGEST_WORD = 64


def routes(store: Store, plan: Plan, fetcher: Fetcher) -> list[web.RouteDef]:
    """All routes; bodies and answers are JSON objects, times milliseconds since 1970."""

    async def state(request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        return web.json_response(plan.state(channel) | {"fetch": fetcher.state(channel)})

    async def press(request: web.Request) -> web.Response:
        order = (await body(request, _wrong)).get("do")
        if order not in ("start", "stop"):
            raise _wrong("`do` must be start or stop.")
        return web.json_response(await plan.press(request.match_info["channel"], order == "start"))

    async def event(request: web.Request) -> web.Response:
        asked = await body(request, _wrong)
        kind, seconds = asked.get("type"), asked.get("seconds", 0)
        if not isinstance(kind, str) or not 0 < len(kind) <= LONGEST_WORD:
            raise _wrong(f"`type` must be a text of 1 to {LONGEST_WORD} characters.")
        if type(seconds) not in (int, float) or not 0 <= seconds <= LONGEST_EVENT:
            raise _wrong(f"`seconds` must be 0 to {LONGEST_EVENT}.")
        return web.json_response(await plan.happened(request.match_info["channel"], kind, seconds))

    async def locks(request: web.Request) -> web.Response:
        found = store.locks.of(request.match_info["channel"])
        return web.json_response({"locks": [_told(one) for one in found]})

    async def lock(request: web.Request) -> web.Response:
        asked = await body(request, _wrong)
        try:
            start, end = moment(asked["from"]), moment(asked["to"])
        except (KeyError, ValueError) as error:
            raise _wrong("`from` and `to` must be milliseconds since 1970.") from error
        words = str(asked.get("note", "")), str(asked.get("by", ""))[:LONGEST_WORD]
        made = await asyncio.to_thread(store.lock, request.match_info["channel"], start, end, *words)
        return web.json_response(_told(made))

    async def unlock(request: web.Request) -> web.Response:
        parts = request.match_info
        return web.json_response(_told(await asyncio.to_thread(store.unlock, parts["channel"], parts["id"])))

    return [
        web.get("/recording/{channel}", state),
        web.post("/recording/{channel}", press),
        web.post("/events/{channel}", event),
        web.get("/locks/{channel}", locks),
        web.post("/locks/{channel}", lock),
        web.delete("/locks/{channel}/{id}", unlock),
    ]


def _told(one: Lock) -> dict[str, Any]:
    return asdict(one) | {"start": one.start / MILLI, "end": one.end / MILLI}


def _wrong(why: str) -> Problem:
    what = "The order cannot be understood."
    return Problem("order-wrong", what, why, "Correct it and try again.", status=422)
