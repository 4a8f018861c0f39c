"""Recordings for players: /recording/<channel>?token=…[&start=…][&end=…][&stream=…], times by ISO 8601."""

import asyncio
import re
import ssl
from dataclasses import dataclass, replace

from services.media import rtsp_server
from services.media.admission import Limits, Refusal
from services.media.describe import describe
from services.media.gate import Gate
from services.media.plans import MAIN
from services.media.rtsp_server import IDLE_SECONDS, TRACK
from services.runtime.rtsp import Track
from services.runtime.rtsp_message import Message
from services.ss import reader, spans, tracks
from services.ss.asked import stream
from services.ss.boxes import TornError
from services.ss.entry import SECOND
from services.ss.library import Library
from services.ss.orders import Cursor, Order, near
from services.ss.reader import Place
from services.ss.rtsp_playback import Playback
from services.ss.rtsp_sound import SoundLine, media
from services.ss.sound import Audio, audio
from services.ss.spans import Span
from services.ss.video import CLOCK_RATE, Video, video

TOTAL, PER_ADDRESS = 100, 50
"""Players at once; each may take about two megabytes of memory."""


@dataclass(frozen=True)
class Session:
    """What a URL names: its track, its bounds (microseconds since 1970), and what is shown there."""

    track: str
    start: int
    end: int | None
    shown: Video
    heard: Audio | None = None


class Connection(rtsp_server.Connection):
    """One player of one channel's recordings."""

    path = re.compile(r"/recording/([^/]+?)" + TRACK)
    recorded = True

    def __init__(self, library: Library, gate: Gate, limits: Limits) -> None:
        super().__init__(gate, limits)
        self._library = library
        self._asked: Session
        self._tracks: list[Track] = []
        self._playback: Playback | None = None
        self._waiting = False

    async def open(self, name: tuple[str, ...], query: dict[str, list[str]]) -> None:
        try:
            start, end = (spans.moment(query[key][0]) if key in query else None for key in ("start", "end"))
            wanted = stream(query.get("stream", [MAIN])[0])
        except (ValueError, OverflowError) as reason:
            raise Refusal(400, str(reason)) from reason
        self._asked = await asyncio.to_thread(_session, self._library, name[0], wanted, Span(start, end))
        self._tracks = [Track(self._asked.shown.media, 0)]
        if self._asked.heard:
            self._tracks.append(Track(media(self._asked.heard), 2))

    @property
    def tracks(self) -> list[Track]:
        return self._tracks

    @property
    def playing(self) -> bool:
        return self._playback is not None and self._playback.playing

    async def description(self) -> bytes:
        asked = self._asked
        end = max(asked.start, await self._latest())
        # GStreamer takes the first range, and can seek by npt only; others know clock or npt.
        ranges = spans.told_npt(asked.start, end, asked.start), spans.told(asked.start, end)
        attributes = (*(f"range:{one}" for one in ranges), f"x-dss-stream:{tracks.stream_of(asked.track)}")
        return describe(self._tracks, tracks.channel_of(asked.track), attributes)

    async def prepare(self, message: Message) -> dict[str, str]:
        playback = self._playback = self._playback or self._new()
        if playback.playing and not message.get("range") and not message.get("scale"):
            self._waiting = False
            return {}
        if 0 not in self.chosen:
            raise Refusal(455, "The pictures were not set up.")
        order, begin = await self._order(playback, message)
        playback.take(order, self.chosen[0][1])
        self._waiting = True
        npt = message.get("range").strip().lower().startswith("npt")
        told = spans.told_npt(begin, order.end, self._asked.start) if npt else spans.told(begin, order.end)
        uri = message.request[1].partition("?")[0].rstrip("/")
        base = uri.rpartition("/")[0] if uri.rpartition("/")[2].startswith("trackID=") else uri
        info = (
            f"url={base}/trackID={number};seq={sequence};rtptime={stamp}"
            for number, (sequence, stamp) in enumerate(playback.begins)
        )
        return {"Range": told, "Scale": f"{order.speed:g}", "RTP-Info": ",".join(info)}

    def start(self) -> None:
        if self._playback and self._waiting:
            self._playback.start(self._ended)
        self._waiting = False

    def stop(self) -> None:
        if self._playback:
            self._playback.stop()

    def paused(self) -> dict[str, str]:
        cursor = self._playback.cursor if self._playback else None
        return {"Range": spans.told(cursor.at)} if cursor else {}

    def _new(self) -> Playback:
        heard = self._asked.heard
        line = SoundLine(heard, self.chosen[1][1]) if heard and 1 in self.chosen else None
        return Playback(self._library, self._asked.shown, self.transport, line)

    def _ended(self) -> None:
        """Nobody waits for a word of a player while it plays; from now on that is different."""
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._leave)

    def _leave(self) -> None:
        if not self.playing:
            self.transport.close()

    async def _order(self, playback: Playback, message: Message) -> tuple[Order, int]:
        """What is to be played, and the moment it begins with; Refusal 457 if there is nothing."""
        speed, wanted = _wanted(message, self._asked.start)
        bound = self._asked.end if speed > 0 else self._asked.start
        end = _inner(speed, wanted.end, bound)
        stands = playback.cursor
        if stands and (wanted.start is None or (speed > 0 and near(stands, wanted.start))):
            return Order(stands, speed, 0, end, end == bound), stands.at
        begin = await self._begin(wanted.start, speed)
        place = await asyncio.to_thread(_place, self._library, self._asked.track, begin, speed < 0)
        if place is None or (end is not None and (begin < end) != (speed > 0)):
            raise Refusal(457, "Nothing is recorded there, or the range ends before it begins.")
        order = Order(Cursor(place), speed, 0, end, end == bound)
        if order.keys or begin <= place.at:
            return order, place.at
        return replace(order, cut=(begin - place.at) * CLOCK_RATE // SECOND), begin

    async def _begin(self, wanted: int | None, speed: float) -> int:
        """Where to begin, inside the bounds of the URL."""
        asked = self._asked
        if wanted is None and speed > 0:
            return asked.start
        latest = await self._latest() - 1
        return max(asked.start, latest if wanted is None else min(wanted, latest))

    async def _latest(self) -> int:
        """Where the URL's span ends, or all recordings do by now."""
        if self._asked.end is not None:
            return self._asked.end
        return await asyncio.to_thread(_newest, self._library, self._asked.track)


def _wanted(message: Message, origin: int) -> tuple[float, Span]:
    """Scale and Range; Refusal 400 or 457."""
    status = 400
    try:
        speed = spans.scale(message.get("scale", "1"))
        status = 457
        return speed, spans.span(text, origin) if (text := message.get("range")) else Span()
    except (ValueError, OverflowError) as reason:
        raise Refusal(status, str(reason)) from reason


def _inner(speed: float, wanted: int | None, bound: int | None) -> int | None:
    """The nearer one of two ends, in the direction of play."""
    ends = [end for end in (wanted, bound) if end is not None]
    return (min(ends) if speed > 0 else max(ends)) if ends else None


def _session(library: Library, channel: str, first: str, wanted: Span) -> Session:
    """Blocking; Refusal 404 if nothing is recorded there, 400 for a span that is none.

    One track is played: the other one where of the wanted one there is nothing.
    """
    if wanted.start is not None and wanted.end is not None and wanted.start >= wanted.end:
        raise Refusal(400)
    both = (reader.find(library, key, wanted.start or 0) for key in tracks.keys(channel, first))
    place = next((one for one in both if one and (wanted.end is None or one.at < wanted.end)), None)
    if place is None:
        raise Refusal(404)
    start = place.at if wanted.start is None else wanted.start
    try:
        init = reader.head(place.entry).init
        return Session(place.entry.channel, start, wanted.end, video(init), audio(init))
    except (OSError, TornError) as reason:
        raise Refusal(404) from reason


def _newest(library: Library, channel: str) -> int:
    entry = library.newest(channel)
    return entry.end if entry else 0


def _place(library: Library, channel: str, moment: int, backwards: bool) -> Place | None:
    """Where a moment is played from; backwards that is what was recorded before a gap."""
    found = reader.find(library, channel, moment)
    if found is None or (backwards and found.at > moment):
        entry = library.newest(channel) if found is None else None
        last = Place(entry, len(entry.gops) - 1) if entry else None
        return (reader.before(library, found) if found else last if backwards else None) or found
    return found


async def listen(
    library: Library,
    gate: Gate,
    limits: Limits,
    port: int,
    hosts: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Serve players on these addresses, None is every one; raises Problem when the port is taken."""
    return await rtsp_server.listen(lambda: Connection(library, gate, limits), "DSS_SS", port, hosts, tls)
