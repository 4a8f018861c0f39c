"""NAL units to interleaved RTP (RFC 3550): H.264 (RFC 6184 §5.6, §5.8), H.265 (RFC 7798 §4.4.1, §4.4.3)."""

import secrets
import struct

Piece = bytes | memoryview
MOST = 1400
"""The longest payload, bytes: what fits a packet on every network, should somebody pass it on."""
_RTP = struct.Struct(">BBHBBHII")
_REPORT = struct.Struct(">BBHBBHIIIIII")
_NTP_EPOCH = 2_208_988_800
_CNAME = b"dss"
H264_AUD, H265_AUD = 9, 35


def h264(unit: Piece, most: int = MOST) -> list[tuple[bytes, Piece]]:
    """Payloads of a NAL unit, each as head and rest: itself, or fragments (FU-A)."""
    if len(unit) <= most:
        return [(b"", unit)]
    indicator, kind = unit[0] & 0xE0 | 28, unit[0] & 31
    return _fragments(bytes((indicator,)), kind, unit[1:], most - 2)


def h265(unit: Piece, most: int = MOST) -> list[tuple[bytes, Piece]]:
    """As h264; fragments are FU."""
    if len(unit) <= most:
        return [(b"", unit)]
    kind = (unit[0] >> 1) & 63
    return _fragments(bytes((unit[0] & 0x81 | 49 << 1, unit[1])), kind, unit[2:], most - 3)


def _fragments(head: bytes, kind: int, body: Piece, size: int) -> list[tuple[bytes, Piece]]:
    parts = []
    for start in range(0, len(body), size):
        flags = (0x80 if start == 0 else 0) | (0x40 if start + size >= len(body) else 0)
        parts.append((head + bytes((flags | kind,)), body[start : start + size]))
    return parts


def with_sets(units: list[memoryview], sets: tuple[tuple[bytes, ...], ...], hevc: bool) -> list[Piece]:
    """A key picture with its parameter sets, for whoever comes now; a delimiter stays in front of all."""
    lead = 1 if units and _kind(units[0], hevc) == (H265_AUD if hevc else H264_AUD) else 0
    return [*units[:lead], *(unit for group in sets for unit in group), *units[lead:]]


def _kind(unit: Piece, hevc: bool) -> int:
    return (unit[0] >> 1) & 63 if hevc else unit[0] & 31


class Packets:
    """One RTP stream on one interleaved channel; sequence and times begin anywhere, as RFC 3550 wants it."""

    def __init__(self, hevc: bool, payload_type: int, channel: int = 0) -> None:
        self._split = h265 if hevc else h264
        self.channel = channel
        self._type = payload_type
        self._offset = secrets.randbits(32)
        self._sent = self._bytes = 0
        self.sequence = secrets.randbits(16)
        """Of the next packet."""
        self.ssrc = secrets.randbits(32)

    def time(self, ticks: int) -> int:
        """The RTP timestamp of a time, in ticks of 90 kHz since the session began."""
        return (self._offset + ticks) & 0xFFFFFFFF

    def frame(self, units: list[Piece], ticks: int) -> bytes:
        """All packets of one picture; the last one carries the marker."""
        payloads = [payload for unit in units for payload in self._split(unit)]
        parts: list[Piece] = []
        stamp, last = self.time(ticks), len(payloads) - 1
        for number, (head, rest) in enumerate(payloads):
            size = 12 + len(head) + len(rest)
            mark = self._type | (0x80 if number == last else 0)
            parts.append(_RTP.pack(0x24, self.channel, size, 0x80, mark, self.sequence, stamp, self.ssrc))
            parts += (head, rest)
            self.sequence = (self.sequence + 1) & 0xFFFF
            self._bytes += size - 12
        self._sent += len(payloads)
        return b"".join(parts)

    def report(self, at: int, ticks: int, bye: bool = False) -> bytes:
        """Sender report: what came at `at`, microseconds since 1970, is shown at `ticks`; or the end."""
        seconds, rest = divmod(at, 1_000_000)
        ntp = (seconds + _NTP_EPOCH & 0xFFFFFFFF, (rest << 32) // 1_000_000)
        counts = (self._sent & 0xFFFFFFFF, self._bytes & 0xFFFFFFFF)
        ssrc = self.ssrc.to_bytes(4, "big")
        item = bytes((1, len(_CNAME))) + _CNAME
        item += bytes(4 - len(item) % 4)
        more = struct.pack(">BBH", 0x81, 202, 1 + len(item) // 4) + ssrc + item
        if bye:
            more += struct.pack(">BBH", 0x81, 203, 1) + ssrc
        size = _REPORT.size - 4 + len(more)
        begin = (0x24, self.channel + 1, size, 0x80, 200, 6, self.ssrc)
        return _REPORT.pack(*begin, *ntp, self.time(ticks), *counts) + more
