"""Plain sound as FLAC (RFC 9639): samples of 16 bits as they are, in a form that every browser plays.

G.711 (ITU-T) is two tables; nothing is lost, and nothing is computed but checksums.
"""

import struct
from functools import lru_cache

_SYNC = 0xFFF8
_SIXTEEN_BITS = 4
_CONSTANT, _VERBATIM = 0, 2
MOST = 65535
"""Samples of a frame."""


def stream_info(rate: int, channels: int) -> bytes:
    """The STREAMINFO block (§8.2) of a stream without an end that is known."""
    head = struct.pack(">HH6x", 16, MOST)
    return head + (rate << 44 | channels - 1 << 41 | 15 << 36).to_bytes(8, "big") + bytes(16)


def frame(rows: list[bytes]) -> bytes:
    """A frame (§9) of one row of samples for each channel, big-endian, 16 bits each.

    Its number is always zero: where it belongs is the file's to say.
    """
    return _whole(len(rows), len(rows[0]) // 2, b"".join(bytes((_VERBATIM,)) + row for row in rows))


@lru_cache(16)
def silence(count: int, channels: int) -> bytes:
    """A frame of so many silent samples."""
    return _whole(channels, count, bytes((_CONSTANT, 0, 0)) * channels)


def _whole(channels: int, count: int, subframes: bytes) -> bytes:
    # Size of the block in 16 bits behind the number; rate as in STREAMINFO.
    head = struct.pack(">HBBBH", _SYNC, 0x70, channels - 1 << 4 | _SIXTEEN_BITS << 1, 0, count - 1)
    body = head + bytes((_checksum8(head),)) + subframes
    return body + _checksum16(body).to_bytes(2, "big")


def _checksum8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _EIGHT[value ^ byte]
    return value


def _checksum16(data: bytes) -> int:
    value, table = 0, _SIXTEEN
    for byte in data:
        value = (value << 8 & 0xFF00) ^ table[value >> 8 ^ byte]
    return value


def _table(bits: int, polynomial: int) -> list[int]:
    top, mask = 1 << bits - 1, (1 << bits) - 1
    found = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        found.append(value)
    return found


_EIGHT, _SIXTEEN = _table(8, 0x07), _table(16, 0x8005)


def _mu(code: int) -> int:
    code = ~code & 0xFF
    size = ((code & 15) << 3) + 0x84 << (code >> 4 & 7)
    return 0x84 - size if code & 0x80 else size - 0x84


def _a(code: int) -> int:
    code ^= 0x55
    segment, size = code >> 4 & 7, (code & 15) << 4
    size = size + 8 if segment == 0 else size + 0x108 << segment - 1
    return size if code & 0x80 else -size


def _halves(values: list[int]) -> tuple[bytes, bytes]:
    return bytes(one >> 8 & 0xFF for one in values), bytes(one & 0xFF for one in values)


G711 = {
    "PCMU": _halves([_mu(code) for code in range(256)]),
    "PCMA": _halves([_a(code) for code in range(256)]),
}
"""By codec: upper and lower half of the sample that each code stands for."""


def expanded(codec: str, codes: bytes) -> bytes:
    """The samples of G.711, big-endian."""
    samples = bytearray(2 * len(codes))
    samples[::2], samples[1::2] = (codes.translate(half) for half in G711[codec])
    return bytes(samples)


def parted(samples: bytes, channels: int) -> list[bytes]:
    """Interleaved samples as one row for each channel."""
    if channels == 1:
        return [samples]
    rows = []
    for channel in range(channels):
        row = bytearray(len(samples) // channels)
        row[::2], row[1::2] = samples[2 * channel :: 2 * channels], samples[2 * channel + 1 :: 2 * channels]
        rows.append(bytes(row))
    return rows
