"""HLS with low latency: `GET /hls/<channel>/<stream>/index.m3u8?token=[&audio=1]` opens a session.

Everything else hangs on the session's id, a part of the path. A session ends 20 s after its last request.
"""

import re
from dataclasses import dataclass

from aiohttp import web

from services.media.gate import Gate
from services.mts import playlist
from services.mts.alone import picture
from services.mts.hls_sessions import Session, Sessions
from services.mts.hub import Hub
from services.mts.segments import LISTED_SECONDS, Packager, Part, Segment
from services.runtime import auth
from services.runtime.errors import Problem

_FRESH = {"Cache-Control": "no-store"}
_LIST_TYPE = "application/vnd.apple.mpegurl"
_NAME = re.compile(
    r"(?:init-(?P<map>\d{1,9})\.mp4|(?P<number>\d{1,9})(?:\.(?P<part>\d{1,5}))?\.m4s)", re.ASCII
)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_FIRST_SECONDS = 15.0
_AHEAD = 2


@dataclass(frozen=True)
class _Place:
    number: int
    part: int | None


def routes(hub: Hub, gate: Gate, sessions: Sessions) -> list[web.RouteDef]:
    """The door for holders of a token, and what a session may fetch."""

    @auth.public
    async def door(request: web.Request) -> web.Response:
        channel, stream = request.match_info["channel"], request.match_info["stream"]
        user = gate.admit(request.query.get("token", ""), channel).user
        opened = hub.open(channel, stream)
        await hub.ready(opened)
        picture(opened.tracks)
        session = sessions.open(opened, user, request.query.get("audio") == "1")
        await _started(session.packager)
        return _list(playlist.multivariant(session.packager, session.id))

    @auth.public
    async def media(request: web.Request) -> web.Response:
        with _session(sessions, request) as session:
            await _started(session.packager)
            if (place := _wanted(request)) is not None:
                await _reached(session.packager, place)
            return _list(playlist.media(session.packager))

    @auth.public
    async def piece(request: web.Request) -> web.StreamResponse:
        with _session(sessions, request) as session:
            found = _NAME.fullmatch(request.match_info["name"])
            if found is None:
                raise _missing("It names neither a segment nor a part.")
            if found["map"] is not None:
                return _map(session.packager, int(found["map"]))
            place = _Place(int(found["number"]), None if found["part"] is None else int(found["part"]))
            return await _send(request, await _parts(session.packager, place))

    base = "/hls/{channel}/{stream}"
    return [
        web.get(f"{base}/index.m3u8", door, allow_head=False),
        web.get(f"{base}/{{session}}/media.m3u8", media, allow_head=False),
        web.get(f"{base}/{{session}}/{{name}}", piece, allow_head=False),
    ]


def _session(sessions: Sessions, request: web.Request) -> Session:
    key = request.match_info["channel"], request.match_info["stream"]
    return sessions.find(request.match_info["session"], key)


async def _started(packager: Packager) -> None:
    """A player that finds no whole segment would give up, so that it waits for the first."""
    if not await packager.reached(lambda: any(one.complete for one in packager.segments), _FIRST_SECONDS):
        raise _late(packager, f"No segment was complete within {_FIRST_SECONDS:.0f} seconds.")


def _wanted(request: web.Request) -> _Place | None:
    """What a playlist has to hold before it is given: `_HLS_msn` and `_HLS_part`."""
    number, part = request.query.get("_HLS_msn"), request.query.get("_HLS_part")
    if number is None and part is None:
        return None
    if number is None or not all(_COUNT.fullmatch(one) for one in (number, part or "0")):
        why = "_HLS_msn and _HLS_part are whole numbers, and _HLS_part needs _HLS_msn."
        raise Problem("hls-bad-query", "The playlist was refused.", why, "Ask without them.", status=400)
    return _Place(int(number), None if part is None else int(part))


async def _reached(packager: Packager, place: _Place) -> None:
    if place.number > packager.segments[-1].number + _AHEAD:
        why = f"Segment {place.number} is more than {_AHEAD} ahead of what the camera has sent."
        raise Problem("hls-too-far", "The playlist was refused.", why, "Ask without _HLS_msn.", status=400)
    if not await packager.reached(lambda: packager.has(place.number, place.part), LISTED_SECONDS):
        raise _late(packager, f"No new picture came for {LISTED_SECONDS:.0f} seconds.")


async def _parts(packager: Packager, place: _Place) -> list[Part]:
    """The parts of a segment, or one part, which may be the next one that comes."""
    last = packager.segments[-1].number if packager.segments else -1
    if place.part is not None and last <= place.number <= last + 1:
        await packager.reached(lambda: packager.has(place.number, place.part), LISTED_SECONDS)
    found = next((one for one in packager.segments if one.number == place.number), None)
    if found is None or not _there(found, place.part):
        raise _missing("It is not kept any more, or is not there yet.")
    return found.parts if place.part is None else [found.parts[place.part]]


def _there(segment: Segment, part: int | None) -> bool:
    return segment.complete if part is None else part < len(segment.parts)


def _map(packager: Packager, number: int) -> web.Response:
    if number not in packager.maps:
        raise _missing("It is not kept any more.")
    return web.Response(body=packager.maps[number].segment, content_type="video/mp4", headers=_FRESH)


async def _send(request: web.Request, parts: list[Part]) -> web.StreamResponse:
    """Part by part, so that a slow player never makes a copy of a whole segment."""
    answer = web.StreamResponse(headers=_FRESH | {"Content-Type": "video/mp4"})
    answer.content_length = sum(part.size for part in parts)
    await answer.prepare(request)
    for part in parts:
        await answer.write(b"".join(part.pieces))
    return answer


def _list(text: str) -> web.Response:
    return web.Response(text=text, content_type=_LIST_TYPE, headers=_FRESH)


def _late(packager: Packager, why: str) -> Problem:
    if packager.ended:
        return Problem("hls-ended", "The stream has ended.", "Its channel was changed or taken away.",
                       "Open the channel again.", status=410)  # fmt: skip
    return Problem("hls-no-picture", "The camera gives no picture now.", why,
                   "It comes by itself as soon as the camera sends one.", status=503)  # fmt: skip


def _missing(why: str) -> Problem:
    what, remedy = "There is no such piece of the stream.", "Ask for the playlist again."
    return Problem("hls-piece-unknown", what, why, remedy, status=404)
