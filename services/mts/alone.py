"""Cameras with sound alone: every packet is a chunk that a viewer may begin with."""

from collections.abc import Callable

from services.mts import audio, fmp4_sound
from services.mts.chunk import Chunk, Init
from services.mts.intake import Intake, Tail
from services.mts.sound import Sound
from services.mts.timeline import Timeline
from services.mts.websocket import BINARY, message
from services.runtime.errors import Problem
from services.runtime.rtsp import Track
from services.runtime.rtsp_message import Message

KEPT_SECONDS = 0.4
"""What a newcomer gets at once: more would be heard late for as long as it listens."""
_PIECE_SECONDS = 0.2
_PICTURE_CLOCK = 90_000


def alone(tracks: list[Track]) -> Track | None:
    """The sound of a camera that sends no picture; None where it sends one, or nothing is known of it."""
    return tracks[0] if tracks and all(track.media.kind == "audio" for track in tracks) else None


def picture(tracks: list[Track]) -> Track:
    """The picture of a camera that plays; raises Problem (409) where it sends sound alone."""
    if (track := alone(tracks)) is not None:
        why = f"The camera sends sound alone ({audio.NAMES.get(track.media.codec, track.media.codec)})."
        remedy = "Listen to it live in the portal, by WebSocket, as an MP4 file, or by RTSP."
        raise Problem("no-picture", "This channel has no picture.", why, remedy, status=409)
    return next(track for track in tracks if track.media.kind == "video")


class SoundIntake(Intake):
    """Cuts behind each packet: few forms of sound mark where an access unit ends, and most are one packet."""

    def __init__(
        self,
        track: Track,
        on_chunk: Callable[[Chunk], None],
        on_message: Callable[[Message], None],
        tails: dict[int, Tail],
    ) -> None:
        super().__init__(track.channel, lambda _: 2, on_chunk, on_message, tails)
        self.clock = track.media.clock_rate

    def _packet(self, position: int, end: int, flags: int, timestamp: int) -> None:
        super()._packet(position, end, flags, timestamp)
        if self._kind:
            self._cut(end)


class SoundMuxer:
    """As mux.Muxer: `chunk.live` of every tenth chunk or so is what was heard in a fifth of a second.

    The time axis is that of the camera's RTP clock. `start` and `end_ticks` are of the clock of pictures, so
    that one can go on where the other ended.
    """

    def __init__(self, track: Track, start: int = 0) -> None:
        """Raises audio.FormatError for what no browser plays."""
        form = audio.format_of(track.media)
        self.sound: Sound | None = None
        self.kept: Sound | None = None
        self._rate = form.rate
        self._row_of = Sound(track, form, form.rate)
        self._timeline = Timeline(form.rate, start * form.rate // _PICTURE_CLOCK)
        name = audio.NAMES[track.media.codec]
        segment = fmp4_sound.alone(form.entry, form.rate)
        self.init = Init(f'audio/mp4; codecs="{form.codec}"', segment, form.rate, name)
        self._begin = self._sequence = 0
        self._row: list[tuple[int, bytes]] = []

    def mux(self, chunk: Chunk) -> None:
        """Fill in `live` where a piece ends with this chunk; an earlier muxer may have left its own there."""
        decoded, shift = self._timeline.place(chunk.timestamp)
        begin, row = self._row_of.row(chunk.data, decoded + shift)
        self._begin = self._begin if self._row else begin
        self._row += row
        chunk.live, chunk.init = None, self.init
        if sum(lasts for lasts, _ in self._row) >= _PIECE_SECONDS * self._rate:
            self._sequence = (self._sequence + 1) & 0xFFFFFFFF
            piece = fmp4_sound.fragment(self._sequence, self._begin, self._row)
            chunk.live, self._row = message(BINARY, piece), []

    def listen(self, chunks: object = ()) -> None:
        """Whoever watches hears it already."""

    def keep(self, chunks: object = ()) -> None:
        """It is not recorded."""

    def interrupted(self) -> None:
        """The camera was away: go on without a hole."""
        self._timeline.interrupted()
        self._row_of.interrupted()

    @property
    def end_ticks(self) -> int:
        """Where a muxer that takes over has to start."""
        return self._timeline.end * _PICTURE_CLOCK // self._rate
