"""`GET /snapshot/<channel>?token=[&stream=][&width=]`: the camera's last key picture as JPEG."""

import asyncio
from datetime import UTC, datetime
from time import monotonic

from aiohttp import web

from services.media.gate import Gate
from services.media.picture import MAX_WIDTH
from services.media.pictures import PictureError, Pictures, annex_b
from services.mts import depay
from services.mts.alone import picture
from services.mts.chunk import Chunk, payloads
from services.mts.hub import WARM, Hub
from services.mts.stream import Stream
from services.runtime import auth
from services.runtime.errors import Problem
from services.runtime.rtsp import Track

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05


def routes(hub: Hub, gate: Gate, pictures: Pictures) -> list[web.RouteDef]:
    """The picture, for holders of a token."""

    @auth.public
    async def snapshot(request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        gate.admit(request.query.get("token", ""), channel)
        width = _width(request.query.get("width", "0"))
        stream = hub.open(channel, request.query.get("stream", WARM))
        await hub.ready(stream)
        video = picture(stream.tracks)
        chunk = await _key(stream)
        try:
            jpeg = await pictures.jpeg(video.media.codec, access_unit(chunk, video), width)
        except PictureError as error:
            raise _none(
                "There is no picture.", str(error), "Try again, or look at the camera live."
            ) from error
        taken = datetime.fromtimestamp(chunk.at / 1e6, UTC).isoformat(timespec="milliseconds")
        headers = {"Cache-Control": "no-store", "X-Picture-Time": taken.replace("+00:00", "Z")}
        return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)

    return [web.get("/snapshot/{channel}", snapshot)]


def access_unit(chunk: Chunk, video: Track) -> bytes:
    """A key picture in Annex B form; parameter sets inside it come after those of the session description."""
    nals = depay.h265_nals if video.media.codec == "H265" else depay.h264_nals
    units = nals(chunk.data, payloads(chunk.data, video.channel))
    inside = [b"".join(unit) for unit in units]
    return annex_b([*video.media.parameter_sets, *inside])


async def _key(stream: Stream) -> Chunk:
    until = monotonic() + WAIT_SECONDS
    while (chunk := stream.key_frame) is None and monotonic() < until:
        await asyncio.sleep(_POLL_SECONDS)
    if chunk is None:
        why = stream.reason or "No key frame has come for a while; the camera may send few of them."
        remedy = "Try again, or set the camera to a key frame each second."
        raise _none("There is no picture to save.", why, remedy)
    return chunk


def _none(what: str, why: str, remedy: str) -> Problem:
    return Problem("no-snapshot", what, why, remedy, status=503)


def _width(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= MAX_WIDTH:
        return int(text)
    what, why = "The picture was refused.", f"{text[:20]!r} is no width in pixels up to {MAX_WIDTH}."
    raise Problem("width-unknown", what, why, "Leave it out for the picture as it is.", status=400)
