"""DSS_ARS: the register port, the devices that came in by it, and the way to them."""

from collections.abc import AsyncIterator

from aiohttp import web

from services.ars.api import Api
from services.ars.assignment import Assignment
from services.ars.door import Door
from services.ars.limits import Limits
from services.ars.link import KEEP_ALIVE_SECONDS
from services.ars.registry import Registry
from services.dms.refusals import Refusals
from services.runtime import app, auth, config
from services.runtime.app import Context


async def build(context: Context) -> None:
    """Put the parts together. Setting `keep_alive_seconds` (20): how often each device is asked."""
    context.app.middlewares.append(auth.node_only)
    refusals = Refusals(config.state_dir() / "refusals.json")
    refusals.recall()
    registry = Registry(refusals)
    period = float(context.service.settings.get("keep_alive_seconds", KEEP_ALIVE_SECONDS))
    door = Door(registry, Limits(), period)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        server = await door.listen(context.service.ports["register"], context.service.listen.get("register"))
        yield
        server.close()
        await door.close()

    context.app.cleanup_ctx.append(lifetime)
    context.app.add_routes(Api(registry).routes())
    context.background("assignment", Assignment(registry, context.health).follow)


if __name__ == "__main__":
    app.run("ars", build)
