"""One frame as it came from the camera: interleaved RTP (RFC 2326 §10.12), cut behind the marker."""

import struct
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


class Chunk:
    """Bytes of one frame and of all that came before it; other forms are made once, when first wanted."""

    __slots__ = ("_variants", "data", "init", "key", "live", "timestamp")

    def __init__(self, data: bytes, key: bool, timestamp: int) -> None:
        self.data = data
        self.key = key
        self.timestamp = timestamp
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


def payload(packet: memoryview) -> memoryview:
    """An RTP packet without header, CSRC list, extension and padding (RFC 3550 §5); empty if malformed."""
    if len(packet) < 12:
        return packet[:0]
    start, end = 12 + 4 * (packet[0] & 15), len(packet)
    if packet[0] & 0x10:
        if start + 4 > end:
            return packet[:0]
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    if packet[0] & 0x20:
        end -= packet[end - 1]
    return packet[start:end]


def _renumbered(data: bytes, channels: dict[int, int]) -> bytes:
    parts: list[bytes | memoryview] = []
    for channel, packet in packets(data):
        if (wanted := channels.get(channel)) is not None:
            parts += [bytes((DOLLAR, wanted)) + len(packet).to_bytes(2, "big"), packet]
    return b"".join(parts)
