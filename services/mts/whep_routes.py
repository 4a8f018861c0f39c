"""WHEP (RFC 9725): `POST /whep/<channel>/<stream>?token=`, and `DELETE` of what its answer names."""

from aiohttp import web

from services.media.gate import Gate
from services.mts import audio
from services.mts.hub import Hub
from services.mts.stream import Stream
from services.mts.webrtc import WebRtc
from services.mts.whep.wire import MAX_OFFER
from services.runtime import auth
from services.runtime.errors import Problem

SDP = "application/sdp"


def routes(hub: Hub, gate: Gate, webrtc: WebRtc) -> list[web.RouteDef]:
    """A session for holders of a token; whoever knows its id, as its viewer alone does, may end it."""

    @auth.public
    async def begin(request: web.Request) -> web.Response:
        channel, name = request.match_info["channel"], request.match_info["stream"]
        gate.admit(request.query.get("token", ""), channel)
        offer = await _offer(request)
        stream = hub.open(channel, name)
        await hub.ready(stream)
        id, answer = await webrtc.open(stream, offer)
        headers = {"Location": f"{name}/{id}", "Cache-Control": "no-store", "X-Sound": sound(stream)}
        return web.Response(text=answer, status=201, content_type=SDP, headers=headers)

    @auth.public
    async def end(request: web.Request) -> web.Response:
        if not webrtc.close_session(request.match_info["session"]):
            what, why = "There is no such session.", "It has ended, or was never there."
            raise Problem("session-unknown", what, why, "Open the channel again.", status=404)
        return web.Response()

    @auth.public
    async def change(_: web.Request) -> web.Response:
        raise Problem(
            "session-fixed", "The session was not changed.",
            "The answer has every address of this node, and nothing is to be added to it.",
            "Open a new session where the network is another one.", status=405,
        )  # fmt: skip

    return [
        web.post("/whep/{channel}/{stream}", begin),
        web.delete("/whep/{channel}/{stream}/{session}", end),
        web.patch("/whep/{channel}/{stream}/{session}", change),
    ]


def sound(stream: Stream) -> str:
    """What the camera sends beside the picture, as a browser is told of it; "" for nothing."""
    heard = next((track.media.codec for track in stream.tracks if track.media.kind == "audio"), "")
    return audio.NAMES.get(heard, heard)


async def _offer(request: web.Request) -> str:
    if request.content_type != SDP:
        why = f"It is {request.content_type}; an offer is {SDP}."
        raise _refused(why, 415)
    body = await request.content.read(MAX_OFFER + 1)
    while len(body) <= MAX_OFFER and (more := await request.content.read(MAX_OFFER + 1)):
        body += more
    if len(body) > MAX_OFFER:
        raise _refused(f"It has more than {MAX_OFFER} bytes.", 400)
    try:
        return body.decode()
    except UnicodeDecodeError as reason:
        raise _refused(f"It is not text: {reason}.", 400) from reason


def _refused(why: str, status: int) -> Problem:
    remedy = "Offer a session as a WHEP player does (RFC 9725)."
    return Problem("offer-refused", "The offer was refused.", why, remedy, status=status)
