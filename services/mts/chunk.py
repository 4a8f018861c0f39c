"""One frame as it came from the camera: interleaved RTP (RFC 2326 §10.12), cut behind the marker."""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

RTP = struct.Struct(">BBHII")
DOLLAR = 0x24

Channels = tuple[tuple[int, int], ...]
"""Pairs of the camera's channel and the viewer's for it; a channel that is not listed is left out."""


@dataclass(frozen=True, eq=False)
class Init:
    """What a browser needs first: the WebSocket messages `init` (text) and init segment (binary)."""

    mime: str
    messages: bytes
    timescale: int = 90_000


class Chunk:
    """Bytes of one frame and of all that came before it; other forms are made once, when first wanted.

    `at` is when it had come, in microseconds since 1970; `ticks` where its fMP4 form begins and ends.
    """

    __slots__ = ("_variants", "at", "data", "init", "key", "live", "ticks", "timestamp")

    def __init__(self, data: bytes, key: bool, timestamp: int) -> None:
        self.data = data
        self.key = key
        self.timestamp = timestamp
        self.at = time.time_ns() // 1000
        self.ticks = (0, 0)
        self.live: bytes | None = None
        self.init: Init | None = None
        self._variants: dict[Channels, bytes] = {}

    def variant(self, channels: Channels) -> bytes:
        """The same packets with other channel ids."""
        made = self._variants.get(channels)
        if made is None:
            made = self._variants[channels] = _renumbered(self.data, dict(channels))
        return made


def packets(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Channel and packet of every interleaved unit of a chunk."""
    view, position = memoryview(data), 0
    while position + 4 <= len(data):
        end = position + 4 + (data[position + 2] << 8 | data[position + 3])
        yield data[position + 1], view[position + 4 : end]
        position = end


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


def _trimmed(data: bytes, start: int, end: int, first: int) -> tuple[int, int]:
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
