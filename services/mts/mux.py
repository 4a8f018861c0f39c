"""From chunks to WebSocket messages with fMP4: made once per stream, the same bytes for every browser."""

import logging
from collections.abc import Iterable
from functools import partial

from services.mts import audio, depay, fmp4, regular
from services.mts.bits import BitstreamError, Sps
from services.mts.chunk import Chunk, Init, Pieces, payloads
from services.mts.sound import Sound
from services.mts.timeline import Timeline
from services.mts.websocket import no_sound
from services.runtime.rtsp import Track

LOG = logging.getLogger(__name__)

_MAX_SETS = 16
_Key = tuple[regular.Sample, int]
"""A key frame, and when it had come, in microseconds since 1970."""


class Muxer:
    """Gives the chunks of a camera's tracks, in order, their fMP4 form, which is made once somebody wants it.

    Video is H.264 or H.265. `sound`, while it is there, adds `chunk.loud` and `chunk.loud_init`; `kept` adds
    `chunk.heard`.
    """

    def __init__(self, tracks: list[Track], start: int = 0) -> None:
        video = next(track for track in tracks if track.media.kind == "video")
        media, channel = video.media, video.channel
        self._hevc = media.codec == "H265"
        self._kinds = depay.H265_PARAMETERS if self._hevc else depay.H264_PARAMETERS
        self._nals = depay.h265_nals if self._hevc else depay.h264_nals
        self._header = regular.H265 if self._hevc else regular.H264
        self._rate = media.clock_rate
        self._channel = channel
        self._timeline = Timeline(media.clock_rate, start)
        self._sequence = 0
        self._sets: dict[int, list[bytes]] = {}
        self._audio = next((track for track in tracks if track.media.kind == "audio"), None)
        self._mute = self._silent()
        self.sound: Sound | None = None
        self.kept: Sound | None = None
        self.init: Init | None = None
        self.problem = ""
        self._learn(media.parameter_sets)

    def mux(self, chunk: Chunk) -> None:
        """Give it its fMP4 form, and `init`; there is neither until parameter sets are known."""
        made = self._read(chunk.data) if chunk.key else None
        if made:
            self._learn(made[2])
        dts, shift = self._timeline.place(chunk.timestamp)
        if self.init is None or (made and not made[1]):
            return
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        ticks = dts, dts + self._timeline.duration
        shaper = partial(self._shape, chunk.data, self._sequence, ticks, shift, made and (made, chunk.at))
        chunk.shape(self.init, ticks, dts + shift, shaper)
        if self.sound:
            self._hear(self.sound, chunk)
        if self.kept:
            self._keep(self.kept, chunk)

    def _shape(
        self, data: bytes, sequence: int, ticks: tuple[int, int], shift: int, key: _Key | None
    ) -> Pieces:
        """The fragment of a picture, which of a key frame has been read already."""
        body, size, _ = key[0] if key else self._read(data)
        if not size:
            return []
        head = fmp4.fragment(sequence, ticks[0], ticks[1] - ticks[0], key is not None, size, shift)
        return [fmp4.stamp(ticks[0], key[1]) + head if key else head, *body]

    def listen(self, chunks: Iterable[Chunk] = ()) -> None:
        """Somebody wants to hear, from these chunks on; where that cannot be, `init.mute` says why."""
        if self._audio and not self._mute:
            self.sound = Sound(self._audio, audio.format_of(self._audio.media), self._rate)
            for chunk in chunks:
                self._hear(self.sound, chunk)

    def keep(self, chunks: Iterable[Chunk] = ()) -> None:
        """A recorder wants the sound, from these chunks on; it goes without what cannot be recorded."""
        if self._audio is None:
            return
        try:
            self.kept = Sound(self._audio, audio.kept_format(self._audio.media), self._rate)
        except audio.FormatError as reason:
            LOG.info("no sound is recorded: %s", reason)
            return
        for chunk in chunks:
            self._keep(self.kept, chunk)

    def _keep(self, kept: Sound, chunk: Chunk) -> None:
        try:
            kept.keep(chunk)
        except Exception:
            LOG.exception("sound is not recorded from here on")
            self.kept = None

    def _hear(self, sound: Sound, chunk: Chunk) -> None:
        try:
            sound.mux(chunk)
        except Exception:
            # Whoever listens goes on without sound; neither the picture nor a recording may end over it.
            LOG.exception("sound is left out from here on")
            self.sound = None

    def _read(self, data: bytes) -> regular.Sample:
        """The sample of a picture: each NAL unit after its four-byte length (ISO/IEC 14496-15 §5.3.2)."""
        if made := regular.sample(data, self._channel, self._header, self._kinds):
            return made
        pieces, size, sets = depay.Unit(), 0, list[bytes]()
        for unit in self._nals(data, payloads(data, self._channel)):
            if self._kind(unit[0]) in self._kinds:
                sets.append(b"".join(unit))
                continue
            length = sum(map(len, unit))
            pieces.append(length.to_bytes(4, "big"))
            pieces += unit
            size += 4 + length
        return pieces, size, sets

    def interrupted(self) -> None:
        """The camera was away: go on without a hole, which a browser would wait at."""
        self._timeline.interrupted()
        for sound in (self.sound, self.kept):
            if sound:
                sound.interrupted()

    @property
    def end_ticks(self) -> int:
        """Where a muxer that takes over has to start, so that browsers see one time axis."""
        return self._timeline.end

    def _kind(self, nal: bytes | memoryview) -> int:
        return (nal[0] >> 1) & 63 if self._hevc else nal[0] & 31

    def _learn(self, nals: list[bytes]) -> None:
        found: dict[int, list[bytes]] = {}
        for nal in nals:
            kind = self._kind(nal)
            if kind in self._kinds and len(nal) > 2 and nal not in found.get(kind, []):
                found.setdefault(kind, []).append(nal)
        merged = self._sets | {kind: units[:_MAX_SETS] for kind, units in found.items()}
        if merged != self._sets or self.init is None:
            self._sets = merged
            self._describe()

    def _describe(self) -> None:
        if any(kind not in self._sets for kind in self._kinds):
            return
        try:
            facts, entry = self._entry()
        except BitstreamError as reason:
            self.init, self.problem = None, f"The camera's parameter sets cannot be read: {reason}."
            return
        self.problem = ""
        heard = self._audio.media.codec if self._audio else ""
        segment = fmp4.init_segment(facts, entry, self._rate)
        self.init = Init(
            f'video/mp4; codecs="{facts.codec}"',
            segment,
            self._rate,
            audio.NAMES.get(heard, heard),
            self._mute,
        )

    def _silent(self) -> bytes:
        """What a browser is told that asks for sound and cannot have it; empty where it can."""
        try:
            if self._audio is None:
                raise audio.FormatError("it sends none")
            audio.format_of(self._audio.media)
        except audio.FormatError as reason:
            return no_sound(f"The camera has no sound for browsers: {reason}.")
        return b""

    def _entry(self) -> tuple[Sps, bytes]:
        sets = [self._sets[kind] for kind in self._kinds]
        return fmp4.hevc_entry(sets) if self._hevc else fmp4.avc_entry(sets[0], sets[1])
