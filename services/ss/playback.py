"""One viewing over a WebSocket: the browser asks, each answer is one GOP, so that it never gets too much."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from services.media.plans import MAIN
from services.runtime.errors import Problem
from services.ss import blend, reader, timeline, tracks
from services.ss.asked import moment, stream
from services.ss.blend import Blend
from services.ss.boxes import Head, TornError
from services.ss.by_clock import ByClock
from services.ss.entry import MILLI
from services.ss.gaps import Gaps
from services.ss.library import Library
from services.ss.reader import Place
from services.ss.sealing import KeyMissingError
from services.ss.thumbnails import Thumbnails
from services.ss.timeline import Interval

_TRIES = 8
LONGEST = 32 * 86_400 * 1_000_000
"""The longest timeline in one answer, microseconds."""
MOST_INTERVALS = 20_000


class Viewing:
    """What one browser sees. Requests are JSON objects with `do` and `id`; times are milliseconds since 1970.

    `play` {at, origin, keys, sound}: from the GOP that holds `at`, or the first after it; with `keys` the key
    frame of each GOP alone, which then lasts as long; with `sound` what was heard too, if browsers play it;
    of the `stream` main (if it says none) or sub, and of the other where that was not recorded.
    `more`: the next GOP. `timeline` {from, to, stream}: of one stream, else of all there is. `thumbnail`
    {at, stream}. Answers: `timeline`; `thumbnail` {at, jpeg} with base64, or null where there is none or too
    many are wanted; or `init` {mime, timescale, sound} and a binary init segment where the type changes,
    `sound` names what is recorded of it, "" for none, then `gop` {at, end, stream} and a binary GOP; or
    `end`: there is nothing more now.
    """

    def __init__(
        self,
        library: Library,
        thumbnails: Thumbnails,
        channel: str,
        socket: web.WebSocketResponse,
        gaps: Gaps | None = None,
    ) -> None:
        self._library, self._gaps = library, gaps
        self._thumbnails = thumbnails
        self._looking: asyncio.Task[None] | None = None
        self._channel = channel
        self._blend = Blend(library, channel)
        self._socket = socket
        self._place: Place | None = None
        self._reader = ByClock(0)
        self._init = b""

    async def serve(self) -> None:
        """Answer until the browser leaves."""
        work: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "play": self._play,
            "more": self._more,
            "timeline": self._timeline,
            "thumbnail": self._thumbnail,
        }
        try:
            async for message in self._socket:
                try:
                    asked = json.loads(message.data)
                    await work[asked["do"]](asked)
                except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                    told = {"type": "problem", "what": f"The request is none: {error!r}."}
                    await self._socket.send_json(told)
        finally:
            if self._looking:
                self._looking.cancel()

    async def _play(self, asked: dict[str, Any]) -> None:
        begin, origin = moment(asked["at"]), moment(asked["origin"])
        keys, sound = (asked.get(word) is True for word in ("keys", "sound"))
        self._blend = Blend(self._library, self._channel, stream(asked.get("stream", MAIN)))
        self._reader, self._init = ByClock(origin, keys, sound), b""
        self._place = await asyncio.to_thread(self._blend.find, begin)
        await self._answer(asked["id"])

    async def _more(self, asked: dict[str, Any]) -> None:
        if self._place is not None:
            self._place = await asyncio.to_thread(self._blend.after, self._place) or self._place
            await self._answer(asked["id"])

    async def _answer(self, id: object) -> None:
        for _ in range(_TRIES):
            if (place := self._place) is None:
                break
            try:
                read = await asyncio.to_thread(self._read, place)
            except KeyMissingError:
                self._place = await asyncio.to_thread(self._blend.find, place.entry.end)
                continue
            except (OSError, TornError):
                # Deleted a moment ago, to make room: go on with what is there.
                self._place = await asyncio.to_thread(self._blend.find, place.end)
                continue
            if read is None:
                # It is still growing, and what was sent of it could not be taken back: asked for again later.
                self._place = Place(place.entry, place.number - 1)
                break
            return await self._send(id, *read)
        return await self._socket.send_json({"type": "end", "id": id})

    def _read(self, place: Place) -> tuple[Place, Head, bytes] | None:
        now = reader.settled(self._library, place)
        return (now, self._reader.head(now.entry), bytes(self._reader.read(now))) if now else None

    async def _send(self, id: object, place: Place, head: Head, data: bytes) -> None:
        if head.init != self._init:
            self._init = head.init
            told = {"type": "init", "id": id, "mime": head.mime, "timescale": head.timescale}
            await self._socket.send_json(told | {"sound": self._reader.heard(place.entry)})
            await self._socket.send_bytes(head.init)
        about = {"type": "gop", "id": id, "at": place.at / MILLI, "end": place.end / MILLI}
        await self._socket.send_json(about | {"stream": tracks.stream_of(place.entry.channel)})
        await self._socket.send_bytes(data)

    async def _timeline(self, asked: dict[str, Any]) -> None:
        start, end = moment(asked["from"]), moment(asked["to"])
        only = stream(asked["stream"]) if "stream" in asked else ""
        found = await asyncio.to_thread(
            search, self._library, self._channel, start, end, only=only, gaps=self._gaps
        )
        await self._socket.send_json({"type": "timeline", "id": asked["id"], **found})

    async def _thumbnail(self, asked: dict[str, Any]) -> None:
        """Beside playing, which must not wait for it; one at a time."""
        at, id, wanted = moment(asked["at"]), asked["id"], stream(asked.get("stream", MAIN))
        if self._looking and not self._looking.done():
            return await self._show(id, at, None)
        self._looking = asyncio.create_task(self._look(id, at, wanted))
        return None

    async def _look(self, id: object, at: int, wanted: str) -> None:
        try:
            found = await self._thumbnails.of(self._channel, at, wanted)
        except Problem:
            found = None
        await self._show(id, at, found)

    async def _show(self, id: object, at: int, jpeg: bytes | None) -> None:
        text = base64.b64encode(jpeg).decode() if jpeg else None
        told = {"type": "thumbnail", "id": id, "at": at / MILLI, "jpeg": text}
        # The browser may have left meanwhile.
        with contextlib.suppress(ConnectionError):
            await self._socket.send_json(told)


def search(
    library: Library,
    channel: str,
    start: int,
    end: int,
    wanted: Callable[[Interval], bool] | None = None,
    only: str = "",
    gaps: Gaps | None = None,
) -> dict[str, Any]:
    """The timeline of [start, end) (microseconds) in milliseconds, or the intervals of it that are `wanted`.

    It is of all that can be shown, or of one stream `only`; all of it also says why `gaps` are there.
    ValueError for a span that is none, or that holds too much for one answer.
    """
    if not 0 <= start < end <= start + LONGEST:
        raise ValueError("from must lie before to, by at most 32 days")
    found = (
        blend.of(library, tracks.key(channel, only), start, end)
        if only
        else blend.intervals(library, channel, start, end)
    )
    told = {"gaps": gaps.told(channel, only, found, (start, end))} if gaps and wanted is None else {}
    found = [one for one in found if wanted is None or wanted(one)]
    if len(found) > MOST_INTERVALS:
        raise ValueError(f"it has more than {MOST_INTERVALS} intervals, so ask for a shorter span")
    return {
        "from": start // MILLI,
        "to": end // MILLI,
        "covered": timeline.covered(found) // MILLI,
        "intervals": [_told(one) for one in found],
        **told,
    }


def _told(one: Interval) -> dict[str, Any]:
    span = {"start": one.start / MILLI, "end": one.end / MILLI}
    return (
        span
        | {"after": one.after, "kind": one.kind, "locked": one.locked}
        | ({"source": one.source} if one.source else {})
        | ({"stream": one.stream} if one.stream != MAIN else {})
    )
