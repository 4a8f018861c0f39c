"""What main has this node's cameras do: `GET|POST /ptz/<channel>`, for this node and main alone."""

import time
from typing import Any

from aiohttp import web

from services.dms import ptz
from services.dms.assignment import Poller
from services.dms.moves import Moves
from services.dms.ptz import Head
from services.runtime.asked import body
from services.runtime.errors import Problem

FASTEST = 8
LARGEST_BODY = 4096


def routes(poller: Poller, moves: Moves) -> list[web.RouteDef]:
    """Bodies and answers as in interfaces.md §6."""

    async def state(request: web.Request) -> web.Response:
        head = _known(poller, request)
        position = await moves.ask(head, head.position)
        presets = await moves.ask(head, head.presets)
        told = dict(zip(("pan", "tilt", "zoom"), position, strict=True))
        return web.json_response(told | {"presets": presets} | _moving(moves, head))

    async def order(request: web.Request) -> web.Response:
        head, asked = _known(poller, request), await body(request, _wrong, LARGEST_BODY)
        began = await _done(moves, head, asked)
        return web.json_response({"began": began} | _moving(moves, head))

    return [web.get("/ptz/{channel}", state), web.post("/ptz/{channel}", order)]


def find(poller: Poller, channel: str) -> Head | None:
    """The camera of a channel that is assigned to this node; None if there is none that can move."""
    heads = (Head(device, one) for device in poller.current.devices for one in device.channels)
    return next((one for one in heads if one.channel.id == channel and one.device.kind != "rtsp"), None)


async def _done(moves: Moves, head: Head, asked: dict[str, Any]) -> bool:
    """Do it; whether something began that is worth a line in the log."""
    match asked.get("do"):
        case "move":
            code, speed = _checked(asked)
            return await moves.move(head, code, speed)
        case "stop":
            await moves.stop(head.channel.id)
            return False
        case "go" | "save" as do:
            number = asked.get("preset")
            if type(number) is not int or not 0 < number <= ptz.MOST_PRESETS:
                raise _wrong(f"`preset` must be 1 to {ptz.MOST_PRESETS}.")
            await moves.ask(head, lambda: head.preset(do, number))
            return True
    raise _wrong("`do` must be move, stop, go or save.")


def _checked(asked: dict[str, Any]) -> tuple[str, int]:
    code, speed = asked.get("code"), asked.get("speed")
    if not isinstance(code, str) or code not in ptz.CODES:
        raise _wrong(f"`code` must be one of {', '.join(ptz.CODES)}.")
    if type(speed) is not int or not 0 < speed <= FASTEST:
        raise _wrong(f"`speed` must be 1 to {FASTEST}.")
    return code, speed


def _moving(moves: Moves, head: Head) -> dict[str, Any]:
    move = moves.now.get(head.channel.id)
    if move is None or move.ending:
        return {"moving": "", "ends_in": 0.0}
    return {"moving": move.code, "ends_in": round(max(0.0, move.until - time.monotonic()), 1)}


def _known(poller: Poller, request: web.Request) -> Head:
    head = find(poller, request.match_info["channel"])
    if head is None:
        raise Problem("channel-unknown", "There is no such camera on this node.",
                      "It is not assigned to it, or is of a kind that cannot be moved.",
                      "Look at the list of devices.", status=404)  # fmt: skip
    return head


def _wrong(why: str) -> Problem:
    what = "The order cannot be understood."
    return Problem("order-wrong", what, why, "Correct it and try again.", status=422)
