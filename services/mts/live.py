"""fMP4 for browsers: over WebSocket `GET /live/<channel>/<stream>?token=`, over HTTP the same with `.mp4`.

`&audio=1` asks for the sound too. `GET /record/…` is for DSS_SS.
"""

import asyncio
import contextlib

from aiohttp import HttpVersion11, web

from services.media.gate import Gate
from services.mts.alone import picture
from services.mts.hub import Hub
from services.mts.plain import PlainViewer
from services.mts.record import Recorder, SoundRecorder
from services.mts.stream import Stream
from services.mts.viewer import LiveViewer, LoudViewer
from services.mts.websocket import UNPLAYED
from services.runtime import auth
from services.runtime.errors import Problem

PING_SECONDS = 30.0
_MAX_INCOMING = 4096
_LOOK_SECONDS = 1.0


def routes(hub: Hub, gate: Gate) -> list[web.RouteDef]:
    """The WebSocket and the file for holders of a token; the recorder's and `GET /streams` for this node."""

    @auth.public
    async def live(request: web.Request) -> web.StreamResponse:
        gate.admit(request.query.get("token", ""), request.match_info["channel"])
        # Whoever watches waits here for a camera that is away: so nobody has to ask again and again.
        return await _serve(request, _opened(hub, request), LoudViewer if _loud(request) else LiveViewer)

    @auth.public
    async def plain(request: web.Request) -> web.StreamResponse:
        gate.admit(request.query.get("token", ""), request.match_info["channel"])
        stream = _opened(hub, request)
        await hub.ready(stream)
        if stream.unplayed:
            why = f"The camera sends sound alone, and {stream.unplayed}."
            raise Problem("not-played", "This channel cannot be heard here.", why, UNPLAYED, status=409)
        return await _send(request, stream)

    async def record(request: web.Request) -> web.StreamResponse:
        stream = _opened(hub, request)
        await hub.ready(stream)
        picture(stream.tracks)
        return await _serve(request, stream, SoundRecorder if _loud(request) else Recorder)

    async def streams(_: web.Request) -> web.Response:
        return web.json_response([stream.facts() for stream in hub.streams.values()])

    return [
        web.get("/live/{channel}/{stream}.mp4", plain, allow_head=False),
        web.get("/live/{channel}/{stream}", live),
        web.get("/record/{channel}/{stream}", record),
        web.get("/streams", streams),
    ]


def _opened(hub: Hub, request: web.Request) -> Stream:
    return hub.open(request.match_info["channel"], request.match_info["stream"])


def _loud(request: web.Request) -> bool:
    return request.query.get("audio") == "1"


async def _serve(request: web.Request, stream: Stream, kind: type[LiveViewer]) -> web.StreamResponse:
    socket = web.WebSocketResponse(compress=False, heartbeat=PING_SECONDS, max_msg_size=_MAX_INCOMING)
    await socket.prepare(request)
    if request.transport is None:
        return socket
    viewer = kind(request.transport, stream.remove)
    stream.add_live(viewer)
    try:
        # A viewer has nothing to say; reading serves its pings, its close, and notices its death.
        async for _ in socket:
            pass
    finally:
        stream.remove(viewer)
    return socket


async def _send(request: web.Request, stream: Stream) -> web.StreamResponse:
    """An endless file. What opens it cannot be told anything, so that it ends when the format changes."""
    if request.version < HttpVersion11:
        what, why = "The picture was refused.", "It has no end that is known, which HTTP/1.0 cannot carry."
        raise Problem("http-too-old", what, why, "Use a player that speaks HTTP/1.1.", status=505)
    headers = {"Content-Type": "video/mp4", "Cache-Control": "no-store"}
    answer = web.StreamResponse(headers=headers)
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    transport = request.transport
    if transport is None:
        return answer
    viewer = PlainViewer(transport, stream.remove, _loud(request))
    stream.add_live(viewer)
    try:
        while not viewer.done.is_set() and not transport.is_closing():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(viewer.done.wait(), _LOOK_SECONDS)
    finally:
        stream.remove(viewer)
    return answer
