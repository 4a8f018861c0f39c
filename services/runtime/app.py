"""The frame of every asyncio service: configuration, HTTP on loopback, health, systemd, orderly end."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import uvloop
from aiohttp import web

from services.runtime import config, log, memory, notify
from services.runtime.config import Node, Service
from services.runtime.errors import Problem
from services.runtime.health import Health

LOG = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLOSE_SECONDS = 5.0
MAX_BODY = 256 * 1024
STATUS_SECONDS = 1.0
RESTART_FIRST, RESTART_LAST = 0.5, 30.0


@dataclass
class Context:
    """What a service builds on: who it is, where its routes go, what it says about itself."""

    node: Node
    service: Service
    health: Health
    app: web.Application

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` as long as the service lives; an error is logged, shown in health, and it runs again."""

        async def lifetime(_: web.Application) -> AsyncIterator[None]:
            task = asyncio.create_task(_supervise(self.health, name, work), name=name)
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self.app.cleanup_ctx.append(lifetime)


async def _supervise(health: Health, name: str, work: Callable[[], Awaitable[None]]) -> None:
    pause = RESTART_FIRST
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await work()
            return
        except Exception as error:
            LOG.exception("%s failed and is started again", name)
            health.set(name, False, f"It failed ({error}) and is being started again.")
        long_lived = asyncio.get_running_loop().time() - began > RESTART_LAST
        pause = RESTART_FIRST if long_lived else min(pause * 2, RESTART_LAST)
        await asyncio.sleep(pause)
        health.checks.pop(name, None)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a Problem into its RFC 9457 body, and an accident into a 500 that gives nothing away."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem_response(problem)
    except web.HTTPException:
        raise
    except Exception:
        LOG.exception("%s %s failed", request.method, request.path)
        return problem_response(
            Problem(
                "internal-error",
                "The request could not be completed.",
                "The service met an error that it did not expect.",
                "Try again; if it happens again, read this service's log.",
                status=500,
            )
        )


def problem_response(problem: Problem) -> web.Response:
    """`application/problem+json` for `problem`."""
    return web.json_response(
        problem.as_dict(), status=problem.status, content_type="application/problem+json"
    )


def application(health: Health) -> web.Application:
    """An empty service: `GET /health` (200 or 503) and problems as JSON."""

    async def show_health(_: web.Request) -> web.Response:
        return web.json_response(health.as_dict(), status=200 if health.ok else 503)

    app = web.Application(middlewares=[problems], client_max_size=MAX_BODY)
    app.router.add_get("/health", show_health)
    return app


def run(service_id: str, build: Callable[[Context], Awaitable[None]]) -> None:
    """Run a service until SIGTERM or SIGINT: configure, `build`, serve on 127.0.0.1:<ports["http"]>.

    Exits with status 1 and one log line when the configuration cannot be used.
    """
    log.setup(service_id)
    memory.keep_small()
    try:
        uvloop.run(serve(service_id, build))
    except Problem as problem:
        LOG.error("cannot start: %s", problem)
        sys.exit(1)


async def serve(service_id: str, build: Callable[[Context], Awaitable[None]]) -> None:
    """The life of a service, from configuration to orderly end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = Health()
    context = Context(config.load_node(), config.load_service(service_id), health, application(health))
    await build(context)
    runner = web.AppRunner(context.app, access_log=None, shutdown_timeout=CLOSE_SECONDS / 2)
    await runner.setup()
    try:
        await _listen(runner, context.service)
        notify.send("READY=1")
        await _tell_systemd(health, stop)
        notify.send("STOPPING=1", "STATUS=stopping")
    finally:
        await _close(runner)


async def _listen(runner: web.AppRunner, service: Service) -> None:
    port = service.ports.get("http", 0)
    try:
        if not port:
            raise OSError(f"no port named http in services/{service.id}.json")
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        raise Problem(
            "cannot-listen",
            f"{service.code} cannot listen on 127.0.0.1:{port}.",
            f"{error}.",
            "Free the port (`ss -tlnp` names who holds it) or give the service another one in the inventory.",
            status=500,
        ) from error
    LOG.info("ready on 127.0.0.1:%d", port)


async def _tell_systemd(health: Health, stop: asyncio.Event) -> None:
    watchdog = notify.watchdog_seconds()
    interval = min(STATUS_SECONDS, watchdog / 3) if watchdog else STATUS_SECONDS
    told = ""
    while not stop.is_set():
        news = f"STATUS={' '.join(health.reasons().split()) or 'ok'}"
        feed = ["WATCHDOG=1"] if watchdog and not health.dead else []
        if feed or news != told:
            notify.send(*feed, news)
            told = news
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), interval)


async def _close(runner: web.AppRunner) -> None:
    try:
        await asyncio.wait_for(runner.cleanup(), CLOSE_SECONDS)
    except TimeoutError:
        LOG.warning("some work did not end within %.0f s and was abandoned", CLOSE_SECONDS)
    LOG.info("stopped")
