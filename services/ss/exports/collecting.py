"""Downloads of exports that several nodes made: one archive, put together while it is sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, web

from services.media.gate import Gate
from services.runtime import auth
from services.runtime.asked import body
from services.runtime.errors import Problem
from services.ss.exports import neighbours, ranges
from services.ss.exports.collection import Collection, Slice, join, slices
from services.ss.exports.download import refused
from services.ss.exports.neighbours import FAILED, Neighbour
from services.ss.exports.order import ID

SCOPE = "collection/"
MOST_KEPT, MOST_NODES, MOST_DOWNLOADS = 32, 64, 4


@dataclass(frozen=True)
class Known:
    """A collection that main asked for: its name, and the nodes that have its parts, by their names."""

    name: str
    whole: Collection
    nodes: dict[str, Neighbour]


class Desk:
    """The collections that may be downloaded. They hold no bytes, and are asked for anew after a restart."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.downloads = 0
        self._session: ClientSession | None = None

    async def take(self, id: str, asked: dict[str, Any]) -> Known:
        """Ask the nodes what they have and join it; Problem 409, 422, 502."""
        name, nodes = _read(id, asked)
        parts = await asyncio.gather(*(neighbours.contents(self.session, one, id) for one in nodes))
        try:
            found = Known(name, join(parts), {one.name: one for one in nodes})
        except ValueError as error:
            raise _wrong(f"{error}.") from error
        self.known.pop(id, None)
        self.known[id] = found
        for oldest in list(self.known)[:-MOST_KEPT]:
            del self.known[oldest]
        return found

    @property
    def session(self) -> ClientSession:
        """Made when it is first needed."""
        if self._session is None:
            self._session = ClientSession()
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def content(self, id: str, known: Known, one: Slice) -> AsyncIterator[bytes]:
        """The bytes of a slice."""
        if one.part is None:
            yield known.whole.tail[one.start : one.end]
            return
        node = known.nodes[one.part.node]
        async for data in neighbours.content(self.session, node, id, one.start, one.end):
            yield data


def routes(desk: Desk, gate: Gate) -> list[web.RouteDef]:
    """All routes."""

    async def take(request: web.Request) -> web.Response:
        found = await desk.take(request.match_info["id"], await body(request, _wrong))
        return web.json_response({"size": found.whole.size, "tag": found.whole.tag})

    @auth.public
    async def download(request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        gate.admit(request.query.get("token", ""), SCOPE + id)
        if id not in desk.known:
            raise refused("The node was started anew since the permission was given.", 409)
        if desk.downloads >= MOST_DOWNLOADS:
            raise refused("Too many downloads of several nodes' results are going on.", 503)
        desk.downloads += 1
        try:
            return await _send(request, desk, id)
        finally:
            desk.downloads -= 1

    return [
        web.post("/collections/{id}", take),
        # Asking for the head alone would use the token up.
        web.get("/collection/{id}", download, allow_head=False),
    ]


async def _send(request: web.Request, desk: Desk, id: str) -> web.StreamResponse:
    known = desk.known[id]
    answer = _answer(known)
    start, end = ranges.give(answer, request, known.whole.size, known.whole.tag)
    await answer.prepare(request)
    # Who downloads sees that it breaks off: fewer bytes come than were announced.
    with contextlib.suppress(*FAILED, ConnectionError):
        for one in slices(known.whole, start, end):
            async for data in desk.content(id, known, one):
                await answer.write(data)
        await answer.write_eof()
        return answer
    if request.transport is not None:
        request.transport.abort()
    return answer


def _answer(known: Known) -> web.StreamResponse:
    return web.StreamResponse(headers={
        "Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{known.name}"',
        "Cache-Control": "no-store", "X-Accel-Buffering": "no",
    })  # fmt: skip


def _read(id: str, asked: dict[str, Any]) -> tuple[str, list[Neighbour]]:
    try:
        nodes = [
            Neighbour(str(one["node"]), str(one["address"] or ""), int(one["port"] or 0))
            for one in asked["parts"]
        ]
        name = str(asked["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(f"A part of it is missing or of another kind: {error}.") from error
    if not ID.fullmatch(id) or not 1 <= len(nodes) <= MOST_NODES or not name.isascii() or '"' in name:
        raise _wrong("Its id, its name or the number of its parts cannot be used.")
    return name, nodes


def _wrong(why: str) -> Problem:
    return Problem("export-wrong", "The parts were not joined.", why, "Download them one by one.", status=422)
