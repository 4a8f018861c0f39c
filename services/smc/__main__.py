"""DSS_SMC: the agent of its node; on main also the registry of all nodes and the desk where new ones join."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from services.node.units import ROLES
from services.runtime import app, auth, config
from services.runtime.app import Context
from services.runtime.bus import Bus
from services.runtime.http import Peers
from services.runtime.message import beat_subject
from services.smc.agent import entries, probes
from services.smc.agent.api import Api
from services.smc.agent.backups import Backups
from services.smc.agent.beats import Beats
from services.smc.agent.certificates import Certificates
from services.smc.agent.changes import Changes
from services.smc.agent.figures import Meter
from services.smc.agent.history import History
from services.smc.agent.monitor import Monitor
from services.smc.agent.probes import Prober
from services.smc.agent.releases import Releases
from services.smc.agent.tasks import Tasks


async def build(context: Context) -> None:
    """Put the parts together for this node's role."""
    node = context.node
    context.app.middlewares.append(auth.node_only)
    bus = Bus(node, context.health)
    context.app.cleanup_ctx.append(bus.lifetime)
    meter, prober = Meter(node.install_path), Prober({})
    monitor = Monitor(entries.load(node.role), prober, meter)
    tasks = Tasks(monitor, config.state_dir() / "tasks.json")
    tasks.recall()
    backups, certificates = Backups(monitor), Certificates()
    beats = Beats(node, bus, monitor, meter, lambda: backups.told, certificates)
    monitor.changed, prober.answered = beats.hurry, monitor.judge
    certificates.changed = beats.hurry

    async def probing(_: web.Application) -> AsyncIterator[None]:
        async with probes.new_session() as session:
            prober.probes = probes.for_entries(monitor.entries, session)
            yield

    context.app.cleanup_ctx.append(probing)
    changes, releases = Changes(monitor), Releases()
    history = History(tasks, changes, backups, releases)
    for part in (Api(monitor, tasks), changes, backups, releases, history):
        context.app.add_routes(part.routes())
    context.background("systemd", monitor.watch)
    context.background("health", monitor.tick)
    context.background("backups", backups.watch)
    context.background("certificates", certificates.run)
    if ROLES[node.role] == "main":
        await _build_main(context, bus, beats)
    context.background("beats", beats.run)


async def _build_main(context: Context, bus: Bus, beats: Beats) -> None:
    # A sub has no database: it must not pay for the means to reach one.
    from services.smc.agent.follow import Follow
    from services.smc.agent.join import Desk
    from services.smc.agent.links import Links
    from services.smc.agent.registry import Registry
    from services.smc.agent.route import Route

    links = Links(partial(beats.monitor.turn, "restart", "nats-server.service"))
    registry, peers = Registry(bus, context.health, links), Peers()
    beats.fallback = registry.take
    await bus.subscribe(beat_subject(context.node.name), registry.hear)
    context.app.add_routes([*Desk().routes(), *Route().routes()])
    context.background("registry", registry.show)
    context.background("facts", registry.follow)
    context.app.cleanup_ctx.append(peers.lifetime)
    context.background("centre", Follow(peers).run)


if __name__ == "__main__":
    app.run("smc", build)
