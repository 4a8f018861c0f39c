"""What DSS_SS answers: timeline, playback and clips to holders of a token, its state to its node."""

import asyncio
from datetime import UTC, datetime

from aiohttp import web

from services.media.gate import Gate
from services.media.plans import MAIN
from services.runtime import auth
from services.runtime.errors import Problem
from services.ss import asked, clip, playback, tracks
from services.ss.asked import moment
from services.ss.boxes import TornError
from services.ss.entry import SECOND
from services.ss.gaps import Gaps
from services.ss.plan import Plan
from services.ss.playback import Viewing
from services.ss.store import Store
from services.ss.thumbnails import Thumbnails
from services.ss.timeline import Interval

PING_SECONDS = 30.0
_MAX_INCOMING = 4096
ANY = "any"
SPAN = ("from", "to")


def routes(store: Store, plan: Plan, gaps: Gaps, gate: Gate, thumbnails: Thumbnails) -> list[web.RouteDef]:
    """All routes; times in queries are milliseconds since 1970."""

    @auth.public
    async def play(request: web.Request) -> web.StreamResponse:
        channel = _admitted(gate, request)
        socket = web.WebSocketResponse(compress=False, heartbeat=PING_SECONDS, max_msg_size=_MAX_INCOMING)
        await socket.prepare(request)
        await Viewing(store.library, thumbnails, channel, socket, gaps).serve()
        return socket

    @auth.public
    async def timeline(request: web.Request) -> web.Response:
        channel = _admitted(gate, request)
        return web.json_response(await _search(store, gaps, channel, request))

    async def timeline_inside(request: web.Request) -> web.Response:
        return web.json_response(await _search(store, gaps, request.match_info["channel"], request))

    @auth.public
    async def download(request: web.Request) -> web.StreamResponse:
        return await _download(store, _admitted(gate, request), request)

    @auth.public
    async def thumbnail(request: web.Request) -> web.Response:
        channel = _admitted(gate, request)
        (at,) = _moments(request, "at")
        place = await thumbnails.find(channel, at, _stream(request))
        headers = {"Cache-Control": "no-store", "X-Picture-Stream": tracks.stream_of(place.entry.channel)}
        return web.Response(body=await thumbnails.made(place), content_type="image/jpeg", headers=headers)

    async def state(_: web.Request) -> web.Response:
        rows = [
            {
                "channel": tracks.channel_of(one.channel),
                "stream": tracks.stream_of(one.channel),
                "bytes": one.bytes,
                "problem": one.problem,
                "writes": one.writes,
                "held": one.held,
            }
            for one in plan.recorders.values()
        ]
        encryption = await asyncio.to_thread(store.encryption)
        return web.json_response({"recorders": rows, "folders": store.facts(), "encryption": encryption})

    return [
        web.get("/play/{channel}", play),
        web.get("/timeline/{channel}", timeline),
        web.get("/recorded/{channel}", timeline_inside),
        web.get("/clip/{channel}", download),
        web.get("/thumbnail/{channel}", thumbnail),
        web.get("/state", state),
    ]


def _admitted(gate: Gate, request: web.Request) -> str:
    channel = request.match_info["channel"]
    gate.admit(request.query.get("token", ""), channel)
    return channel


def _moments(request: web.Request, *names: str) -> list[int]:
    try:
        return [moment(request.query[name]) for name in names]
    except (KeyError, ValueError) as error:
        raise _wrong(
            f"{' and '.join(f'`{name}`' for name in names)} must be milliseconds since 1970."
        ) from error


def _stream(request: web.Request) -> str:
    try:
        return asked.stream(request.query.get("stream", MAIN))
    except ValueError as error:
        raise _wrong(f"`stream`: {error}.") from error


async def _search(store: Store, gaps: Gaps, channel: str, request: web.Request) -> dict[str, object]:
    start, end = _moments(request, *SPAN)
    kind, locked = request.query.get("kind", ANY), request.query.get("locked", ANY)
    stream = "" if request.query.get("stream", ANY) == ANY else _stream(request)

    def wanted(one: Interval) -> bool:
        return kind in (ANY, one.kind) and locked in (ANY, str(one.locked).lower())

    some = wanted if (kind, locked) != (ANY, ANY) else None
    try:
        return await asyncio.to_thread(
            playback.search, store.library, channel, start, end, some, stream, gaps
        )
    except ValueError as error:
        raise _wrong(f"{error}.") from error


async def _download(store: Store, channel: str, request: web.Request) -> web.StreamResponse:
    start, end = _moments(request, *SPAN)
    found = await asyncio.to_thread(clip.plan, store.library, channel, start, end, _stream(request))
    begin = datetime.fromtimestamp(found.start / SECOND, UTC)
    answer = web.StreamResponse(headers={
        "Content-Type": "video/mp4",
        "Content-Disposition": f'attachment; filename="{channel}-{begin:%Y%m%dT%H%M%SZ}.mp4"',
        "Cache-Control": "no-store",
        "X-Clip-Duration": f"{found.duration:.3f}",
        "X-Clip-Missing": f"{found.missing / SECOND:.3f}",
        "X-Clip-Stream": found.stream,
    })  # fmt: skip
    answer.content_length = found.size
    await answer.prepare(request)
    pieces = clip.parts(found)
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await answer.write(piece)
    except (OSError, TornError) as error:
        # Fewer bytes than announced: every client sees that the file is not whole.
        raise ConnectionAbortedError(str(error)) from error
    return answer


def _wrong(why: str) -> Problem:
    return Problem(
        "span-wrong", "The span of time cannot be used.", why, "Correct it and try again.", status=422
    )
