"""`GET /live/<channel>/<stream>?token=`: fMP4 over WebSocket for browsers."""

from aiohttp import web

from services.mts.hub import Hub
from services.mts.tokens import Gate
from services.mts.viewer import LiveViewer
from services.runtime import auth

PING_SECONDS = 30.0
_MAX_INCOMING = 4096


def routes(hub: Hub, gate: Gate) -> list[web.RouteDef]:
    """The WebSocket, open to holders of a token, and `GET /streams` for this node's services."""

    @auth.public
    async def live(request: web.Request) -> web.StreamResponse:
        channel, name = request.match_info["channel"], request.match_info["stream"]
        gate.admit(request.query.get("token", ""), channel)
        stream = hub.open(channel, name)
        await hub.ready(stream)
        socket = web.WebSocketResponse(compress=False, heartbeat=PING_SECONDS, max_msg_size=_MAX_INCOMING)
        await socket.prepare(request)
        if request.transport is None:
            return socket
        viewer = LiveViewer(request.transport, stream.remove)
        stream.add_live(viewer)
        try:
            # A viewer has nothing to say; reading serves its pings, its close, and notices its death.
            async for _ in socket:
                pass
        finally:
            stream.remove(viewer)
        return socket

    async def streams(_: web.Request) -> web.Response:
        return web.json_response([stream.facts() for stream in hub.streams.values()])

    return [web.get("/live/{channel}/{stream}", live), web.get("/streams", streams)]
