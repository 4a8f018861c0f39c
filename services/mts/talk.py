"""A browser's voice to a camera: WebSocket `GET /talk/<channel>?token=`; `GET /talks/<channel>` for main.

The first message is `{"type":"ready","codec":"PCMU"|"PCMA","rate":8000}`; then the browser sends G.711 in
binary messages of 20 to 60 ms. A refusal is a note as of live pictures, about "talk", and the end.
"""

import asyncio
import contextlib
import json

from aiohttp import WSCloseCode, WSMsgType, web

from services.media.gate import Gate
from services.mts.backchannel import RATE, Line
from services.mts.pace import Pace
from services.mts.talks import Desk, Talk, away
from services.runtime import auth
from services.runtime.errors import Problem

SCOPE = "talk/"
LEAST, MOST = 160, 480
"""Bytes of a message: 20 to 60 ms."""
DEAF_PACKETS = 150
_MAX_INCOMING = 1024


def routes(desk: Desk, gate: Gate) -> list[web.RouteDef]:
    """The WebSocket for holders of a token for talk; the state for services of this node and for main."""

    @auth.public
    async def talk(request: web.Request) -> web.StreamResponse:
        channel = request.match_info["channel"]
        token = gate.admit(request.query.get("token", ""), SCOPE + channel)
        socket = web.WebSocketResponse(compress=False, heartbeat=desk.silence, max_msg_size=_MAX_INCOMING)
        await socket.prepare(request)
        try:
            await _talk(desk, socket, desk.begin(channel, token.user))
        except Problem as problem:
            await _refuse(socket, problem)
        return socket

    async def state(request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        desk.need_free(channel)
        return web.json_response({"channel": channel, "codec": await desk.codec(channel)})

    return [web.get("/talk/{channel}", talk), web.get("/talks/{channel}", state)]


async def _talk(desk: Desk, socket: web.WebSocketResponse, talk: Talk) -> None:
    why = "The node's relay ended."
    try:
        line = await desk.open(talk.channel)
        try:
            await socket.send_json({"type": "ready", "codec": line.codec, "rate": RATE})
            why = await _carried(desk, socket, line, talk)
        finally:
            line.close()
        if not socket.closed:
            raise Problem("talk-ended", "The talk has ended.", why, "Begin anew if there is more to say.")
    except Problem as problem:
        why = problem.why
        raise
    except ConnectionResetError:
        why = "The browser left."
    finally:
        desk.end(talk, why)


async def _carried(desk: Desk, socket: web.WebSocketResponse, line: Line, talk: Talk) -> str:
    """Carry sound to the camera; the reason why it ended."""
    pace = Pace(line.send)
    helpers = [asyncio.create_task(pace.run()), asyncio.create_task(_kept_alive(line))]
    hearing = asyncio.create_task(_heard(desk, socket, pace, talk))
    try:
        await asyncio.wait([hearing, line.lost], return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            raise away(line.lost.result())
        return hearing.result()
    finally:
        for task in (*helpers, hearing):
            task.cancel()
        await asyncio.gather(*helpers, hearing, return_exceptions=True)


async def _heard(desk: Desk, socket: web.WebSocketResponse, pace: Pace, talk: Talk) -> str:
    while talk.seconds < desk.longest:
        try:
            message = await asyncio.wait_for(socket.receive(), desk.silence)
        except TimeoutError:
            return f"Nothing was said for {desk.silence:g} seconds."
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return "The browser left."
        if message.type != WSMsgType.BINARY or not LEAST <= len(message.data) <= MOST:
            return "The browser sent something other than G.711 of 20 to 60 ms."
        pace.put(message.data)
        if pace.refused > DEAF_PACKETS:
            return "The camera has taken no sound for three seconds."
    return f"A talk lasts at most {desk.longest / 60:g} minutes."


async def _kept_alive(line: Line) -> None:
    while True:
        await asyncio.sleep(min(line.session_timeout / 2, 30.0))
        line.keep_alive()


async def _refuse(socket: web.WebSocketResponse, problem: Problem) -> None:
    words = {"what": problem.what, "why": problem.why, "remedy": problem.remedy}
    with contextlib.suppress(ConnectionError):
        await socket.send_str(json.dumps({"type": "note", "about": "talk"} | words))
        await socket.close(code=WSCloseCode.GOING_AWAY)
