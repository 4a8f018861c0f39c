"""DSS_MTS as a service: its streams, its listeners, its routes."""

from collections.abc import AsyncIterator

from aiohttp import web

from services.media.assignment import Assignment
from services.media.gate import Gate
from services.media.pictures import Pictures
from services.media.rtsp_udp import Ports
from services.mts import hls, live, rtsp_server, snapshot, talk, webrtc, whep_routes
from services.mts.hls_sessions import Sessions
from services.mts.hub import Hub
from services.mts.source import Patience
from services.mts.talks import Desk, Reports
from services.runtime import auth, config, tls
from services.runtime.app import Context
from services.runtime.http import Peers


async def build(context: Context) -> None:
    """Put DSS_MTS together.

    Settings in seconds: `sub_idle_seconds` (30), `stall_seconds` (5), `refused_seconds` (600: pause after a
    refused password), `talk_seconds` (600: the longest), `talk_silence_seconds` (5); `talks` (8) at once.
    `converted_streams` (4): how many are converted for browsers at once, 0 for none.
    `webrtc_viewers` (8): how many may watch by WebRTC at once.
    """
    settings = context.service.settings
    patience = Patience(
        stall=float(settings.get("stall_seconds", 5)), refused=float(settings.get("refused_seconds", 600))
    )
    idle = float(settings.get("sub_idle_seconds", 30))
    hub = Hub(patience, idle, int(settings.get("converted_streams", 4)))
    gate = Gate(context.node.name)
    dms = config.load_service("dms").ports["http"]
    assignment = Assignment(hub.take, gate, context.health, lambda: dms)
    pictures, udp, peers, sessions = Pictures(), Ports(), Peers(), Sessions()
    reports = Reports(context.node, peers)
    desk = Desk(hub, reports.add, settings)
    ports, hosts = context.service.ports, context.service.listen
    shown = tls.server_context()
    browsers = webrtc.WebRtc(
        webrtc.bound(ports["webrtc"], hosts.get("webrtc")), int(settings.get("webrtc_viewers", webrtc.MOST))
    )

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        servers = [
            await rtsp_server.listen(hub, gate, ports["rtsp"], hosts.get("rtsp"), udp),
            await rtsp_server.listen(hub, gate, ports["rtsps"], hosts.get("rtsps"), shown),
        ]
        yield
        for server in servers:
            server.close()
        # Not wait_closed(): it would wait for players that are connected and silent.
        await desk.close()
        await hub.close()
        await pictures.close()
        await browsers.close()
        udp.close()

    context.app.middlewares.append(auth.node_only)
    context.app.add_routes([*live.routes(hub, gate), *snapshot.routes(hub, gate, pictures)])
    context.app.add_routes([*hls.routes(hub, gate, sessions), *talk.routes(desk, gate)])
    context.app.add_routes(whep_routes.routes(hub, gate, browsers))
    context.app.cleanup_ctx.extend([peers.lifetime, lifetime])
    context.background("assignment", assignment.follow)
    context.background("certificate", lambda: tls.keep_current(shown))
    context.background("sweep", hub.sweep_often)
    context.background("sessions", sessions.sweep_often)
    context.background("talks", reports.run)
