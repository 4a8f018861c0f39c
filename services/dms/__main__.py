"""DSS_DMS: follows main's assignment, watches the devices, tells their states and sources."""

from collections.abc import AsyncIterator

from aiohttp import web

from services.dms import control
from services.dms.api import Api
from services.dms.assignment import Poller
from services.dms.moves import Moves
from services.dms.refusals import Refusals
from services.dms.watch import Watch
from services.runtime import app, auth, config
from services.runtime.app import Context
from services.runtime.bus import Bus
from services.runtime.http import Peers


async def build(context: Context) -> None:
    """Put the parts together."""
    context.app.middlewares.append(auth.node_only)
    state = config.state_dir()
    bus, peers = Bus(context.node, context.health), Peers()
    refusals = Refusals(state / "refusals.json")
    refusals.recall()
    watch = Watch(bus, refusals)
    poller = Poller(context.node, peers, context.health, state / "assignment.json", watch.assign)

    moves = Moves(state / "moves.json", Refusals(state / "ptz-refusals.json"))
    moves.refusals.recall()

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        poller.recall()
        await moves.recall(lambda channel: control.find(poller, channel))
        yield
        await moves.close()
        watch.close()

    context.app.cleanup_ctx.extend([bus.lifetime, peers.lifetime, lifetime])
    context.app.add_routes([*Api(poller, watch).routes(), *control.routes(poller, moves)])
    context.background("assignment", poller.run)


if __name__ == "__main__":
    app.run("dms", build)
