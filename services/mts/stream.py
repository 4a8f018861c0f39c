"""One stream of one channel: the frames since the last key frame, and everyone who watches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from services.media.interleaved import packets
from services.mts import alone, audio
from services.mts.alone import SoundMuxer
from services.mts.chunk import RTP, Chunk
from services.mts.intake import Tail
from services.mts.mux import Muxer
from services.mts.viewer import LiveViewer, RelayViewer, Viewer
from services.mts.websocket import no_picture, no_place, nothing_played
from services.runtime import rtsp
from services.runtime.rtsp import Track

MAX_GOP_BYTES = 16 * 1024 * 1024
MAX_GOP_FRAMES = 1500
_BACK = 1 << 31

BUSY = "busy"
"""The state of a converted stream that waits for others to end."""
NO_PICTURE = "no-picture"
"""The state of a converted stream whose camera sends sound alone."""
WHY = {
    "connecting": "It has not been reached yet.",
    "online": "It is connected, but has sent nothing for some seconds.",
    rtsp.UNREACHABLE: "It cannot be reached, or was lost.",
    rtsp.REFUSED: "It refused the user name or the password.",
    rtsp.GARBLED: "What it sends is not understood.",
    NO_PICTURE: "It sends sound alone, which is heard by another stream of this channel.",
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
        self.unplayed = ""
        """Why no browser hears a camera that sends sound alone; empty where one does, and for pictures."""
        self.wanted_at = monotonic()
        self.hurry: Callable[[], None] = _nothing
        """Has the source read every frame at once, as long as somebody watches."""
        self._gop: list[Chunk] = []
        self._gop_bytes = 0
        self._kept_ticks = 0
        self._relays: tuple[RelayViewer, ...] = ()
        self._lives: tuple[LiveViewer, ...] = ()
        self._muxer: Muxer | SoundMuxer | None = None
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
    def sounds_alone(self) -> bool:
        """Whether the camera sends no picture."""
        return alone.alone(self.tracks) is not None

    @property
    def wanted(self) -> str:
        """What whoever watches waits for, in a word."""
        return "sound" if self.sounds_alone else "picture"

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
        if self._lives and not self.unplayed:
            self._mux(chunk)
            for live in self._lives:
                live.feed(chunk)
            chunk.forget()

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
        for chunk in self._gop if not self.unplayed else ():
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
        if self.frames == self._told or self.unplayed:
            said = self._said()
            for live in self._lives:
                live.tell(said)
        self._told = self.frames

    def facts(self) -> dict[str, Any]:
        """State for `GET /streams`."""
        codec = self.tracks[0].media.codec if self.tracks else None
        facts = {"channel": self.key[0], "stream": self.key[1], "state": self.state, "reason": self.reason}
        counted = {"bytes": self.bytes, "frames": self.frames, "viewers": self.viewers}
        return {**facts, "codec": codec, "picture": not self.sounds_alone, **counted}

    def _said(self) -> bytes:
        if self.state == BUSY:
            return no_place(self.reason)
        if self.unplayed and self.state == "online":
            return nothing_played(f"The camera sends sound alone, and {self.unplayed}.")
        return no_picture(WHY.get(self.state, WHY["online"]), self.wanted)

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
            sound = alone.alone(self.tracks)
            self._muxer = SoundMuxer(sound, self._mux_from) if sound else Muxer(self.tracks, self._mux_from)
            if any(live.loud for live in self._lives):
                self._muxer.listen()
            if any(live.keeps_sound for live in self._lives):
                self._muxer.keep()
        self._muxer.mux(chunk)

    def _remember(self, chunk: Chunk) -> None:
        if chunk.key:
            self._forget_gop() if not self._kept_ticks else self._shorten_gop(chunk)
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

    def _shorten_gop(self, chunk: Chunk) -> None:
        """Of sound, what was heard just before."""
        kept = self._kept_ticks
        self._gop = [one for one in self._gop if (chunk.timestamp - one.timestamp) % (2 * _BACK) < kept]
        self._gop_bytes = sum(len(one.data) for one in self._gop)

    def _start_anew(self) -> None:
        """Other tracks than before: players cannot follow, browsers get a new init segment."""
        self._forget_gop()
        self.reordered = False
        self._tails = {}
        if self._muxer:
            self._mux_from, self._muxer = self._muxer.end_ticks, None
        for relay in self._relays:
            relay.end()
        self._judge()

    def _judge(self) -> None:
        """What the new tracks mean for those who watch."""
        sound = alone.alone(self.tracks)
        self.unplayed = audio.unplayed(sound.media) if sound else ""
        self._kept_ticks = int(alone.KEPT_SECONDS * sound.media.clock_rate) if sound else 0
        if sound:
            for one in self._lives:
                if one.pictures_only:
                    one.end()
            self._lives = tuple(one for one in self._lives if not one.pictures_only)


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
