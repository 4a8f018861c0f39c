"""A camera's pictures to small H.264, in a process: `python -m services.mts.convert CODEC CHANNEL`.

Its input is the camera's frames as `services.mts.converted` writes them, its output interleaved RTP.
It ends with its input. Where time is short, pictures are left out, so that what comes is never old.
"""

import io
import os
import struct
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from services.media.packets import H264_AUD, Packets, Piece
from services.media.picture import CODECS
from services.media.pictures import annex_b
from services.media.worker import exactly, step_back
from services.mts import depay
from services.mts.chunk import payloads

if TYPE_CHECKING:
    from av import VideoCodecContext, VideoFrame

FRAME = struct.Struct(">BIQI")
"""DELTA, KEY or SETS, RTP timestamp, when it had come in microseconds since 1970, bytes that follow."""
DELTA, KEY, SETS = range(3)
"""A chunk of the camera; one that begins with a key picture; parameter sets in Annex B form."""
MOST = 24 * 1024 * 1024
CLOCK = 90_000
PAYLOAD_TYPE = 96
SIDES = (960, 540)
"""The longer and the shorter side of what comes out, at the most."""
_EACH = CLOCK // 15
_JITTER = CLOCK // 500
_EACH_WHEN_LATE = CLOCK
_LONGEST_START = 3 * CLOCK
_KEY_EACH = 2 * CLOCK
_LATE, _TOO_LATE = 500_000, 3_000_000
_LONGEST = 10 * CLOCK
_PIXELS = 36_000_000
_SEI = 6
_WRAP = 1 << 32
_OPTIONS = {
    "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1",
    "crf": "24", "maxrate": "1000000", "bufsize": "1000000",
}  # fmt: skip


def even_size(width: int, height: int) -> tuple[int, int]:
    """The same shape within SIDES, never larger, in even numbers of pixels."""
    scale = min(1.0, SIDES[0] / max(width, height), SIDES[1] / min(width, height))
    return max(2, round(width * scale) & ~1), max(2, round(height * scale) & ~1)


class Encoder:
    """Baseline H.264 of one size, a key picture each two seconds."""

    def __init__(self, width: int, height: int) -> None:
        import av

        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, CLOCK), Fraction(15)
        encoder.thread_count, encoder.options = 1, _OPTIONS
        self._encoder = encoder
        self.size = width, height
        self._key_at: int | None = None

    def encode(self, frame: "VideoFrame", pts: int) -> list[Piece]:
        """NAL units of a picture that is shown at `pts`, later than the one before."""
        from av.video.frame import PictureType

        small = frame.reformat(*self.size, "yuv420p")
        small.pts, small.time_base = pts, Fraction(1, CLOCK)
        key = self._key_at is None or pts - self._key_at >= _KEY_EACH
        small.pict_type = PictureType.I if key else PictureType.NONE
        self._key_at = pts if key else self._key_at
        return [unit for packet in self._encoder.encode(small) for unit in _units(bytes(packet))]


class Converter:
    """Decodes every picture and encodes those whose time has come."""

    def __init__(self, codec: str, channel: int) -> None:
        import av

        self._nals = depay.h265_nals if codec == "H265" else depay.h264_nals
        self._channel = channel
        self._decoder = cast("VideoCodecContext", av.CodecContext.create(CODECS[codec].decode(), "r"))
        self._decoder.thread_count = 1
        self._error = av.error.FFmpegError
        self._encoder: Encoder | None = None
        self._out = Packets(False, PAYLOAD_TYPE)
        self._sets = b""
        self._needs_key = True
        self._pts = 0
        self._done: int | None = None

    def take(self, kind: int, timestamp: int, late: int, data: bytes) -> Iterator[bytes]:
        """Packets of what this frame leads to; `late` is how long ago it came, in microseconds."""
        if kind == SETS:
            self._sets = data
            return
        self._needs_key = kind != KEY and (self._needs_key or late > _TOO_LATE)
        if self._needs_key:
            return
        self._advance(timestamp)
        for frame in self._decoded(kind, data):
            pts = self._pts if frame.pts is None else frame.pts
            if self._due(pts, late > _LATE):
                yield from self._encoded(frame, pts)

    def _due(self, pts: int, late: bool) -> bool:
        """Whether a picture is wanted. The first one is that of now, not the key picture long before it."""
        if self._encoder is None and self._done is None:
            self._done = pts
        since = pts - (self._done or 0)
        if self._encoder is None:
            return not late or since > _LONGEST_START
        return since <= 0 or since >= (_EACH_WHEN_LATE if late else _EACH - _JITTER)

    def _advance(self, timestamp: int) -> None:
        """RTP time without its wrap; a camera that set its clock goes on one frame later."""
        step = (timestamp - self._pts + _WRAP // 2) % _WRAP - _WRAP // 2
        self._pts += step
        if abs(step) > _LONGEST:
            self._encoder = self._done = None

    def _decoded(self, kind: int, data: bytes) -> list["VideoFrame"]:
        import av

        units = [b"".join(unit) for unit in self._nals(data, payloads(data, self._channel))]
        if not units:
            # An empty packet would be the end to a decoder.
            return []
        packet = av.Packet((self._sets if kind == KEY else b"") + annex_b(units))
        packet.pts = self._pts
        try:
            return self._decoder.decode(packet)
        except self._error:
            self._needs_key = True
            return []

    def _encoded(self, frame: "VideoFrame", pts: int) -> Iterator[bytes]:
        if frame.width * frame.height > _PIXELS:
            raise ValueError(f"a picture of {frame.width}x{frame.height} is too large")
        size = even_size(frame.width, frame.height)
        if self._encoder is None or self._encoder.size != size or pts <= (self._done or 0):
            self._encoder = Encoder(*size)
        self._done = pts
        if units := self._encoder.encode(frame, pts):
            yield self._out.frame(units, pts)


def _units(data: bytes) -> list[bytes]:
    """NAL units of Annex B, without delimiters and what the encoder says of itself."""
    found = [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")]
    return [unit for unit in found if unit and unit[0] & 31 not in (H264_AUD, _SEI)]


def main() -> None:
    """Convert until the input ends."""
    step_back()
    converter = Converter(sys.argv[1], int(sys.argv[2]))
    reader = io.FileIO(sys.stdin.fileno(), closefd=False)
    while head := exactly(reader, FRAME.size):
        kind, timestamp, at, size = FRAME.unpack(head)
        data = exactly(reader, size) if size <= MOST else None
        if data is None:
            return
        for packets in converter.take(kind, timestamp, time.time_ns() // 1000 - at, data):
            view = memoryview(packets)
            while view:
                view = view[os.write(sys.stdout.fileno(), view) :]


if __name__ == "__main__":
    main()
