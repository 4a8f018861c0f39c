"""One frame as it came from the camera: interleaved RTP (RFC 2326 §10.12), cut behind the marker."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from services.media.interleaved import packets
from services.mts.websocket import BINARY, TEXT, bodies, header, message

RTP = struct.Struct(">BBHII")
DOLLAR = 0x24

Pieces = list[bytes | memoryview]
"""Of a fragment; what stands behind each other in it, and is not copied before that is wanted."""

Channels = tuple[tuple[int, int], ...]
"""Pairs of the camera's channel and the viewer's for it; a channel that is not listed is left out."""


@dataclass(frozen=True, eq=False)
class Init:
    """What a browser needs first; `sound` is what the camera sends beside the pictures, "" for nothing.

    `mute` is the message for a browser that asks for sound and cannot have it.
    """

    mime: str
    segment: bytes
    timescale: int = 90_000
    sound: str = ""
    mute: bytes = b""

    @cached_property
    def messages(self) -> bytes:
        """The WebSocket messages `init` (text) and init segment (binary)."""
        said = {"type": "init", "mime": self.mime, "timescale": self.timescale, "sound": self.sound}
        return message(TEXT, json.dumps(said).encode()) + message(BINARY, self.segment)


@dataclass(frozen=True, slots=True)
class Heard:
    """Samples that follow each other, each with its duration, from `tick` on; `rate` ticks are a second.

    `init` is of the pictures with this sound.
    """

    init: Init
    tick: int
    rate: int
    samples: list[tuple[int, bytes]]


class Chunk:
    """Bytes of one frame and of all that came before it; other forms are made once, when first wanted.

    `at` is when it had come, in microseconds since 1970; `ticks` where its fMP4 form begins and ends, `shown`
    when it is to be seen. `init` fits that form, None while there is none. `loud` is `live` with the sound
    behind it. `heard` is the sound for a recorder.
    """

    # What a frame may go without is not written into each of them.
    at = 0
    ticks = (0, 0)
    shown = 0
    init: Init | None = None
    loud: bytes | None = None
    loud_init: Init | None = None
    heard: Heard | None = None
    _live: bytes | None = None
    _shaper: Callable[[], Pieces] | None = None
    _plain: dict[bytes, bytes] | None = None
    _variants: dict[Channels, bytes] | None = None

    def __init__(self, data: bytes, key: bool, timestamp: int) -> None:
        self.data = data
        self.key = key
        self.timestamp = timestamp

    def shape(self, init: Init, ticks: tuple[int, int], shown: int, shaper: Callable[[], Pieces]) -> None:
        """Have an fMP4 form, which `shaper` makes; nothing comes of a frame of which too much was lost."""
        self.init, self.ticks, self.shown = init, ticks, shown
        self._shaper, self._live = shaper, None

    def fragment(self) -> Pieces:
        """The fMP4 form in pieces; none where there is none."""
        if self._live is not None:
            return [bodies(self._live)[0]]
        return self._shaper() if self._shaper else []

    @property
    def live(self) -> bytes | None:
        """The fMP4 form as a WebSocket message."""
        if self._live is None and self._shaper and (pieces := self._shaper()):
            self._live = b"".join((header(BINARY, sum(map(len, pieces))), *pieces))
        return self._live

    @live.setter
    def live(self, made: bytes | None) -> None:
        self._live, self._shaper = made, None

    def forget(self) -> None:
        """Give the memory of `live` back, for the next frame to find it warm; who asks again gets it anew."""
        if self._shaper:
            self._live = None

    def variant(self, channels: Channels) -> bytes:
        """The same packets with other channel ids."""
        self._variants = {} if self._variants is None else self._variants
        made = self._variants.get(channels)
        if made is None:
            made = self._variants[channels] = _renumbered(self.data, dict(channels))
        return made

    def plain(self, messages: bytes) -> bytes:
        """`live` or `loud` as one piece of a chunked HTTP answer."""
        self._plain = {} if self._plain is None else self._plain
        made = self._plain.get(messages)
        if made is None:
            made = self._plain[messages] = piece(bodies(messages))
        return made


def piece(parts: list[memoryview]) -> bytes:
    """These parts as one piece of a chunked HTTP answer (RFC 9112 §7.1)."""
    return b"".join((f"{sum(map(len, parts)):x}\r\n".encode(), *parts, b"\r\n"))


def payloads(data: bytes, channel: int) -> list[tuple[int, int]]:
    """Start and end of each RTP payload of a channel, without extension and padding (RFC 3550 §5)."""
    spans, position, size = [], 0, len(data)
    while position + 4 <= size:
        start = position + 16
        end = position + 4 + (data[position + 2] << 8 | data[position + 3])
        if data[position + 1] == channel and start < end:
            first = data[position + 4]
            if first & 0x3F:
                start, end_of_body = _trimmed(data, start, end, first)
                if start < end_of_body:
                    spans.append((start, end_of_body))
            else:
                spans.append((start, end))
                # The packets of a picture are as large as the first one, all but the last.
                head, size_of_each = data[position : position + 5], end - position
                while data.startswith(head, end):
                    spans.append((end + 16, end + size_of_each))
                    end += size_of_each
        position = end
    return spans


def payload(packet: memoryview) -> bytes:
    """What an RTP packet of at least 12 bytes carries."""
    first = packet[0]
    start, end = _trimmed(packet, 12, len(packet), first) if first & 0x3F else (12, len(packet))
    return bytes(packet[start:end])


def _trimmed(data: bytes | memoryview, start: int, end: int, first: int) -> tuple[int, int]:
    start += 4 * (first & 15)
    if first & 0x10:
        if start + 4 > end:
            return end, end
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    return start, end - data[end - 1] if first & 0x20 else end


def _renumbered(data: bytes, channels: dict[int, int]) -> bytes:
    parts: list[bytes | memoryview] = []
    for channel, packet in packets(data):
        if (wanted := channels.get(channel)) is not None:
            parts += [bytes((DOLLAR, wanted)) + len(packet).to_bytes(2, "big"), packet]
    return b"".join(parts)
