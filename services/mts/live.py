"""fMP4 over WebSocket: `GET /live/<channel>/<stream>?token=` for browsers, `GET /record/…` for DSS_SS."""

from aiohttp import web

from services.media.gate import Gate
from services.mts.hub import Hub
from services.mts.record import Recorder
from services.mts.viewer import LiveViewer
from services.runtime import auth

PING_SECONDS = 30.0
_MAX_INCOMING = 4096


def routes(hub: Hub, gate: Gate) -> list[web.RouteDef]:
    """The WebSocket for holders of a token; the recorder's and `GET /streams` for this node."""

    @auth.public
    async def live(request: web.Request) -> web.StreamResponse:
        gate.admit(request.query.get("token", ""), request.match_info["channel"])
        return await _serve(hub, request, LiveViewer)

    async def record(request: web.Request) -> web.StreamResponse:
        return await _serve(hub, request, Recorder)

    async def streams(_: web.Request) -> web.Response:
        return web.json_response([stream.facts() for stream in hub.streams.values()])

    return [
        web.get("/live/{channel}/{stream}", live),
        web.get("/record/{channel}/{stream}", record),
        web.get("/streams", streams),
    ]


async def _serve(hub: Hub, request: web.Request, kind: type[LiveViewer]) -> web.StreamResponse:
    stream = hub.open(request.match_info["channel"], request.match_info["stream"])
    await hub.ready(stream)
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
