"""Two seconds of H.264, packed as RTP, to be played again and again by many cameras."""

import re
import struct
import subprocess
from dataclasses import dataclass, field

RATE, FRAMES, CLOCK = 25, 50, 90_000
STEP = CLOCK // RATE
MARK = b"DSS bench clock."
"""The UUID of an SEI message; the moment of sending and the picture's number follow it in hex."""
MARK_FORM = "%016x%08x"
_MTU = 1400
_HEAD = struct.Struct(">BBHBBHII")
_START = re.compile(rb"\x00\x00\x01")
ENCODE = (
    "ffmpeg -v error -nostdin -f lavfi -i testsrc2=size={size}:rate=25 -vf noise=alls=12:allf=t "
    "-frames:v 50 -c:v libx264 -preset veryfast -profile:v main -pix_fmt yuv420p -threads 1 -bf 0 "
    "-g 50 -sc_threshold 0 -b:v {rate} -minrate {rate} -maxrate {rate} -bufsize 1M -f h264 -"
)
SIZES = {"large": ("1280x720", "4M"), "small": ("320x180", "500k")}


@dataclass
class Frame:
    """One picture as interleaved packets: `packets` says where each begins, `mark` where the time stands."""

    data: bytearray = field(default_factory=bytearray)
    packets: list[int] = field(default_factory=list)
    mark: int = 0

    def stamp(self, sequence: int, timestamp: int, now: int, number: int) -> None:
        """Write this turn's numbers into it; `now` in nanoseconds."""
        for index, position in enumerate(self.packets):
            struct.pack_into(">HI", self.data, position + 6, (sequence + index) & 0xFFFF, timestamp)
        said = (MARK_FORM % (now, number)).encode()
        self.data[self.mark : self.mark + len(said)] = said


@dataclass(frozen=True)
class Clip:
    """The pictures of one GOP, and what a session description says of them."""

    frames: list[Frame]
    parameters: list[bytes]


def encode(size: str = "large") -> bytes:
    """The pictures as ffmpeg makes them (Annex B)."""
    wide, rate = SIZES[size]
    words = ENCODE.format(size=wide, rate=rate).split()
    return subprocess.run(words, check=True, capture_output=True).stdout


def pack(annex_b: bytes) -> Clip:
    """RTP by RFC 6184; each picture begins with an SEI message that says when it was sent."""
    nals = [nal.rstrip(b"\0") for nal in _START.split(annex_b)[1:]]
    frames, waiting = list[Frame](), list[bytes]()
    for nal in nals:
        if nal[0] & 31 in (7, 8):
            waiting.append(nal)
        elif nal[0] & 31 in (1, 5):
            frames.append(_frame([*waiting, _sei(), nal]))
            waiting = []
    parameters = [nal for nal in nals if nal[0] & 31 in (7, 8)][:2]
    assert len(frames) == FRAMES
    return Clip(frames, parameters)


def _sei() -> bytes:
    body = MARK + (MARK_FORM % (0, 0)).encode()
    return bytes((6, 5, len(body))) + body + b"\x80"


def _frame(nals: list[bytes]) -> Frame:
    frame = Frame()
    payloads = [payload for nal in nals for payload in _payloads(nal)]
    for index, payload in enumerate(payloads):
        frame.packets.append(len(frame.data))
        marker = 0x80 if index == len(payloads) - 1 else 0
        frame.data += _HEAD.pack(0x24, 0, len(payload) + 12, 0x80, 96 | marker, 0, 0, 0x5353) + payload
    frame.mark = frame.data.index(MARK) + len(MARK)
    return frame


def _payloads(nal: bytes) -> list[bytes]:
    if len(nal) <= _MTU:
        return [nal]
    pieces = [nal[start : start + _MTU] for start in range(1, len(nal), _MTU)]
    flags = [0x80, *[0] * (len(pieces) - 2), 0x40]
    head = nal[0] & 0xE0 | 28
    return [bytes((head, nal[0] & 31 | flag)) + piece for flag, piece in zip(flags, pieces, strict=True)]
