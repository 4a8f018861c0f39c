"""What DSS_SS answers about exports: orders of main, by the node's token, and downloads by one-time token."""

import asyncio
from dataclasses import asdict

from aiohttp import web

from services.media.gate import Gate
from services.runtime import auth
from services.runtime.asked import body
from services.runtime.errors import Problem
from services.ss.boxes import TornError
from services.ss.exports import download as sending
from services.ss.exports import order
from services.ss.exports.download import refused
from services.ss.exports.job import Job
from services.ss.exports.runner import Runner

SCOPE = "export/"
MOST_DOWNLOADS = 8


def routes(runner: Runner, gate: Gate) -> list[web.RouteDef]:
    """All routes."""
    downloads: set[web.StreamResponse] = set()

    async def take(request: web.Request) -> web.Response:
        return web.json_response(
            (await runner.order(order.read(await body(request, order.wrong)))).told(), status=201
        )

    async def listing(_: web.Request) -> web.Response:
        return web.json_response([one.told() for one in runner.shelf.jobs.values()])

    async def one(request: web.Request) -> web.Response:
        return web.json_response(_job(runner, request).told())

    async def cancel(request: web.Request) -> web.Response:
        return web.json_response((await runner.cancel(_job(runner, request).order.id)).told())

    async def remove(request: web.Request) -> web.Response:
        await runner.remove(_job(runner, request).order.id)
        return web.json_response({})

    async def members(request: web.Request) -> web.Response:
        job = _job(runner, request)
        if not job.members or job.state != "done":
            raise _unknown("It is no archive, or is not done.")
        return web.json_response({"sha256": job.sha256, "members": [asdict(one) for one in job.members]})

    async def content(request: web.Request) -> web.StreamResponse:
        return await asyncio.to_thread(_result, runner, _job(runner, request), downloads)

    @auth.public
    async def download(request: web.Request) -> web.StreamResponse:
        _admit(gate, request)
        if len(downloads) >= MOST_DOWNLOADS:
            raise refused("Too many downloads are going on.", 503)
        return await asyncio.to_thread(_result, runner, _job(runner, request), downloads)

    return [
        web.post("/exports", take),
        web.get("/exports", listing),
        web.get("/exports/{id}", one),
        web.post("/exports/{id}/cancel", cancel),
        web.delete("/exports/{id}", remove),
        web.get("/exports/{id}/members", members),
        web.get("/exports/{id}/bytes", content),
        # Asking for the head alone would use the token up.
        web.get("/export/{id}", download, allow_head=False),
    ]


def _admit(gate: Gate, request: web.Request) -> None:
    """Use up a token; bytes may be asked for again with another one."""
    try:
        gate.admit(request.query.get("token", ""), SCOPE + request.match_info["id"])
    except Problem as problem:
        raise refused(problem.why, problem.status) from problem


def _result(runner: Runner, job: Job, downloads: set[web.StreamResponse]) -> web.StreamResponse:
    if job.state != "done":
        raise refused(f"The export is {job.state}.", 409)
    headers = {
        "Content-Type": "application/zip" if job.zip else "video/mp4",
        "Content-Disposition": f'attachment; filename="{job.name}"',
        "Cache-Control": "no-store", "X-Export-SHA256": job.sha256, "X-Accel-Buffering": "no",
    }  # fmt: skip
    try:
        return sending.of(runner.shelf.result(job.order.id), headers, downloads)
    except (OSError, TornError) as error:
        raise refused(f"The result cannot be read: {error}.", 503) from error


def _job(runner: Runner, request: web.Request) -> Job:
    found = runner.shelf.jobs.get(request.match_info["id"])
    if found is None:
        raise _unknown("It was deleted, or became too old.")
    return found


def _unknown(why: str) -> Problem:
    remedy = "Order it again while the recording is still there."
    return Problem("export-unknown", "There is no such export.", why, remedy, status=404)
