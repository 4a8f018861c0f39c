"""DSS_SS as a service: its store, its recorders, its routes."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from aiohttp import web

from services.media.admission import Limits
from services.media.assignment import Assignment
from services.media.gate import Gate
from services.runtime import auth, config, tls
from services.runtime.app import Context
from services.ss import api, control, retention, rtsp_server, sealing
from services.ss.exports import api as exports_api
from services.ss.exports import collecting, shelf
from services.ss.exports.runner import Runner
from services.ss.exports.shelf import Shelf
from services.ss.fetch import runner
from services.ss.fetch.owed import Owed
from services.ss.fetch.runner import Fetcher
from services.ss.gaps import Gaps
from services.ss.plan import ALARM_SECONDS, Plan
from services.ss.reasons import Reasons
from services.ss.store import Store
from services.ss.thumbnails import Thumbnails
from services.ss.witness import Witness

SCOPE = "recording/"


async def build(context: Context) -> None:
    """Put DSS_SS together.

    Settings: `folders` (empty: `recordings` below the installation path), `days` and `gigabytes` (none: no
    limit), `encryption` (of new files), `alarm_seconds`, `file_seconds` (60), `export_days` (7),
    `export_gigabytes` (a share of the disk),
    `fetch_speed` (2), `fetch_devices` (2), `fetch_retry_seconds` (10).
    """
    settings = context.service.settings
    roots = [str(one) for one in settings.get("folders") or [context.node.install_path / "recordings"]]
    sealing.use(bool(settings.get("encryption")))
    store = Store(roots, config.state_dir(), retention.quota(settings), context.health)
    store.file_seconds = float(settings.get("file_seconds", store.file_seconds))
    await asyncio.to_thread(store.recover)
    thumbnails = Thumbnails(store.library)
    gate = Gate(context.node.name, SCOPE)
    plan = Plan(store, context.health, float(settings.get("alarm_seconds", ALARM_SECONDS)))
    fetcher = Fetcher(store, plan, Owed(config.state_dir()), context.health, runner.limits(settings))

    reasons = Reasons(config.state_dir())
    witness = Witness(reasons, plan, context.health, await asyncio.to_thread(store.index.newest))

    def take(rows: list[dict[str, Any]]) -> None:
        plan.take(rows)
        fetcher.take(rows)

    assignment = Assignment(take, gate, context.health, partial(_port, "dms"))

    exports = Runner(store.library, _shelf(store, settings), context.node.name)
    await asyncio.to_thread(exports.shelf.open)
    desk = collecting.Desk()

    ports, hosts = context.service.ports, context.service.listen
    shown = tls.server_context()
    limits = Limits(rtsp_server.TOTAL, rtsp_server.PER_ADDRESS)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        servers = [
            await rtsp_server.listen(store.library, gate, limits, ports[name], hosts.get(name), encrypted)
            for name, encrypted in (("rtsp", None), ("rtsps", shown))
        ]
        yield
        for server in servers:
            server.close()
        await thumbnails.close()
        await exports.close()
        await desk.close()
        await plan.close()
        await witness.close()
        store.close()

    context.app.middlewares.append(auth.node_only)
    gaps = Gaps(reasons, fetcher)
    context.app.add_routes(
        [*api.routes(store, plan, gaps, gate, thumbnails), *control.routes(store, plan, fetcher)]
    )
    context.app.add_routes([*exports_api.routes(exports, gate), *collecting.routes(desk, gate)])
    context.app.cleanup_ctx.append(lifetime)
    context.background("assignment", assignment.follow)
    context.background("certificate", lambda: tls.keep_current(shown))
    context.background("store", store.check_all)
    context.background("sync", store.sync_often)
    context.background("watch", plan.watch)
    context.background("fetch", fetcher.run)
    context.background("witness", witness.run)
    context.background("exports", exports.run)


def _shelf(store: Store, settings: dict[str, object]) -> Shelf:
    """Exports stay on the first disk, which leaves room for them."""
    disk = store.disks.all[0]
    made = Shelf(disk, shelf.limits(settings))
    disk.aside = made.aside
    return made


def _port(service: str) -> int:
    """Where a neighbour listens now; its number may change while this service runs."""
    return config.load_service(service).ports["http"]
