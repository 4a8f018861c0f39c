"""DSS_MGW as a service: its door for decoders, its route for services."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from services.media.assignment import Assignment
from services.media.gate import Gate
from services.mgw import api, rtsp_server
from services.mgw.where import Where
from services.runtime import auth, config
from services.runtime.app import Context

SCOPE = "gateway/"


async def build(context: Context) -> None:
    """Put DSS_MGW together; it keeps nothing, so that nothing it says is out of date."""
    gate, where = Gate(context.node.name, SCOPE), Where(context.node.name)
    # Only main's key is of interest: where the channels are is asked anew each time.
    assignment = Assignment(lambda _: None, gate, context.health, partial(_port, "dms"))
    ports, hosts = context.service.ports, context.service.listen

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        server = await rtsp_server.listen(where, gate, ports["decoder"], hosts.get("decoder"))
        yield
        server.close()
        await where.close()

    context.app.middlewares.append(auth.node_only)
    context.app.add_routes(api.routes(where))
    context.app.cleanup_ctx.append(lifetime)
    context.background("assignment", assignment.follow)


def _port(service: str) -> int:
    """Where a neighbour listens now; its number may change while this service runs."""
    return config.load_service(service).ports["http"]
