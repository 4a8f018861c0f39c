"""fMP4 over WebSocket: `GET /live/<channel>/<stream>?token=` for browsers, `GET /record/…` for DSS_SS."""

from aiohttp import web

from services.media.gate import Gate
from services.mts.hub import Hub
from services.mts.record import Recorder
from services.mts.stream import Stream
from services.mts.viewer import LiveViewer
from services.runtime import auth

PING_SECONDS = 30.0
_MAX_INCOMING = 4096


def routes(hub: Hub, gate: Gate) -> list[web.RouteDef]:
    """The WebSocket for holders of a token; the recorder's and `GET /streams` for this node."""

    @auth.public
    async def live(request: web.Request) -> web.StreamResponse:
        gate.admit(request.query.get("token", ""), request.match_info["channel"])
        # Whoever watches waits here for a camera that is away: so nobody has to ask again and again.
        return await _serve(request, _opened(hub, request), LiveViewer)

    async def record(request: web.Request) -> web.StreamResponse:
        stream = _opened(hub, request)
        await hub.ready(stream)
        return await _serve(request, stream, Recorder)

    async def streams(_: web.Request) -> web.Response:
        return web.json_response([stream.facts() for stream in hub.streams.values()])

    return [
        web.get("/live/{channel}/{stream}", live),
        web.get("/record/{channel}/{stream}", record),
        web.get("/streams", streams),
    ]


def _opened(hub: Hub, request: web.Request) -> Stream:
    return hub.open(request.match_info["channel"], request.match_info["stream"])


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
