"""One stream of one channel: the frames since the last key frame, and everyone who watches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from services.media.interleaved import packets
from services.mts.chunk import RTP, Chunk
from services.mts.intake import Tail
from services.mts.mux import Muxer
from services.mts.viewer import LiveViewer, RelayViewer, Viewer
from services.mts.websocket import no_picture, no_place
from services.runtime import rtsp
from services.runtime.rtsp import Track

MAX_GOP_BYTES = 16 * 1024 * 1024
MAX_GOP_FRAMES = 1500
_BACK = 1 << 31

BUSY = "busy"
"""The state of a converted stream that waits for others to end."""
WHY = {
    "connecting": "It has not been reached yet.",
    "online": "It is connected, but has sent nothing for some seconds.",
    rtsp.UNREACHABLE: "It cannot be reached, or was lost.",
    rtsp.REFUSED: "It refused the user name or the password.",
    rtsp.GARBLED: "What it sends is not understood.",
}
"""What whoever watches may know; addresses are for those who manage devices."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Origin:
    """Where a stream comes from; a changed origin is a new stream."""

    device: str
    url: str
    username: str
    password: str


class Stream:
    """Takes chunks from a source and gives each viewer its form of them, each form made once."""

    def __init__(self, key: Key, origin: Origin) -> None:
        self.key = key
        self.origin = origin
        self.state = "connecting"
        self.reason = "The camera has not been reached yet."
        self.tracks: list[Track] = []
        self.bytes = 0
        self.frames = 0
        self.ended = False
        self.reordered = False
        """Whether a picture was shown before its predecessor (B-frames)."""
        self.wanted_at = monotonic()
        self.hurry: Callable[[], None] = _nothing
        """Has the source read every frame at once, as long as somebody watches."""
        self._gop: list[Chunk] = []
        self._gop_bytes = 0
        self._relays: tuple[RelayViewer, ...] = ()
        self._lives: tuple[LiveViewer, ...] = ()
        self._muxer: Muxer | None = None
        self._mux_from = 0
        self._lost_at = 0.0
        self._tails: dict[int, Tail] = {}
        self._told = 0

    @property
    def viewers(self) -> int:
        """How many watch now."""
        return len(self._relays) + sum(one.left() is None for one in self._lives)

    @property
    def calm(self) -> bool:
        """Whether nobody watches; a recorder does not mind to get many frames at once."""
        return not self._relays and all(one.patient for one in self._lives)

    @property
    def key_frame(self) -> Chunk | None:
        """The last key frame, as long as what followed it is kept."""
        return self._gop[0] if self._gop else None

    def playing(self, tracks: list[Track]) -> dict[int, Tail]:
        """The camera plays these tracks; returns where their RTP has to continue, empty the first time."""
        same = [(t.media, t.channel) for t in tracks] == [(t.media, t.channel) for t in self.tracks]
        self.state, self.reason = "online", ""
        self.tracks = tracks
        if not same:
            self._start_anew()
            return {}
        away = monotonic() - self._lost_at
        for track in tracks:
            if tail := self._tails.get(track.channel):
                tail.timestamp = (tail.timestamp + int(away * track.media.clock_rate)) & 0xFFFFFFFF
        complete = all(track.channel in self._tails for track in tracks)
        return self._tails if complete else {}

    def lost(self, state: str, reason: str) -> None:
        """The camera is gone; viewers stay and wait for it."""
        if self._gop:
            self._tails = _tails(reversed(self._gop), {track.channel for track in self.tracks})
            self._lost_at = monotonic()
        self.state, self.reason = state, reason
        self._forget_gop()
        if self._muxer:
            self._muxer.interrupted()
        for viewer in (*self._relays, *self._lives):
            viewer.interrupted()

    def publish(self, chunk: Chunk) -> None:
        """One more frame of the camera."""
        self.frames += 1
        self.bytes += len(chunk.data)
        self._remember(chunk)
        for relay in self._relays:
            relay.feed(chunk)
        if self._lives:
            self._mux(chunk)
            for live in self._lives:
                live.feed(chunk)

    def add_relay(self, viewer: RelayViewer) -> None:
        """A player joins: it gets everything since the last key frame at once."""
        self.hurry()
        self._relays = (*self._relays, viewer)
        for chunk in self._gop:
            viewer.feed(chunk)

    def add_live(self, viewer: LiveViewer) -> None:
        """A browser joins; the first one starts the muxer at the last key frame."""
        if viewer.keeps_sound and self._muxer and not self._muxer.kept:
            self._muxer.keep(self._gop)
        if viewer.heir() and self._inherit(viewer):
            return
        if not viewer.patient:
            self.hurry()
        first = not self._lives
        self._lives = (*self._lives, viewer)
        if viewer.loud and self._muxer and not self._muxer.sound:
            self._muxer.listen(self._gop)
        for chunk in self._gop:
            if first:
                self._mux(chunk)
            viewer.feed(chunk)

    def remove(self, viewer: Viewer) -> None:
        """A viewer left; unknown ones are ignored, because both ends may notice the same end."""
        self._relays = tuple(v for v in self._relays if v is not viewer)
        if isinstance(viewer, LiveViewer) and viewer in self._lives:
            stays = viewer.leave()
            others = (v for v in self._lives if v is not viewer)
            self._lives = (*others, stays) if stays else tuple(others)
        self.wanted_at = monotonic()
        if not self._lives:
            self._muxer, self._mux_from = None, 0
        elif self._muxer:
            if not any(live.loud for live in self._lives):
                self._muxer.sound = None
            if not any(live.keeps_sound for live in self._lives):
                self._muxer.kept = None

    def end(self) -> None:
        """The channel is gone: so are its viewers."""
        self.ended = True
        for viewer in (*self._relays, *self._lives):
            viewer.end()

    def tell(self) -> None:
        """Called each few seconds: browsers hear why no frame has come since the last call."""
        if self.frames == self._told:
            known = WHY.get(self.state, WHY["online"])
            said = no_place(self.reason) if self.state == BUSY else no_picture(known)
            for live in self._lives:
                live.tell(said)
        self._told = self.frames

    def facts(self) -> dict[str, Any]:
        """State for `GET /streams`."""
        video = next((t.media for t in self.tracks if t.media.kind == "video"), None)
        facts = {"channel": self.key[0], "stream": self.key[1], "state": self.state, "reason": self.reason}
        counted = {"bytes": self.bytes, "frames": self.frames, "viewers": self.viewers}
        return {**facts, "codec": video.codec if video else None, **counted}

    def _inherit(self, viewer: LiveViewer) -> bool:
        """Give a viewer what an earlier one left behind, all of it."""
        for one in self._lives:
            if (chunks := one.left()) is not None:
                self._lives = (*(v for v in self._lives if v is not one), viewer)
                viewer.inherit(chunks)
                return True
        return False

    def _mux(self, chunk: Chunk) -> None:
        if self._muxer is None:
            self._muxer = Muxer(self.tracks, self._mux_from)
            if any(live.loud for live in self._lives):
                self._muxer.listen()
            if any(live.keeps_sound for live in self._lives):
                self._muxer.keep()
        self._muxer.mux(chunk)

    def _remember(self, chunk: Chunk) -> None:
        if chunk.key:
            self._forget_gop()
        elif not self._gop:
            return
        elif (chunk.timestamp - self._gop[-1].timestamp) & _BACK:
            self.reordered = True
        self._gop.append(chunk)
        self._gop_bytes += len(chunk.data)
        if self._gop_bytes > MAX_GOP_BYTES or len(self._gop) > MAX_GOP_FRAMES:
            self._forget_gop()

    def _forget_gop(self) -> None:
        self._gop = []
        self._gop_bytes = 0

    def _start_anew(self) -> None:
        """Other tracks than before: players cannot follow, browsers get a new init segment."""
        self._forget_gop()
        self.reordered = False
        self._tails = {}
        if self._muxer:
            self._mux_from, self._muxer = self._muxer.end_ticks, None
        for relay in self._relays:
            relay.end()


def _nothing() -> None:
    """No source is there that could hurry."""


def _tails(chunks: Iterable[Chunk], channels: set[int]) -> dict[int, Tail]:
    """The last RTP header of each channel, plus one; looks backwards until all are found."""
    found: dict[int, Tail] = {}
    for chunk in chunks:
        latest: dict[int, Tail] = {}
        for channel, packet in packets(chunk.data):
            if channel in channels - found.keys() and len(packet) >= 12:
                _, _, sequence, timestamp, ssrc = RTP.unpack_from(packet)
                latest[channel] = Tail(sequence + 1, timestamp, ssrc)
        found.update(latest)
        if len(found) == len(channels):
            break
    return found
