"""RTP payloads of one frame to NAL units: H.264 (RFC 6184) and H.265 (RFC 7798), non-interleaved modes."""

from collections.abc import Callable, Iterable

MAX_NAL = 8 * 1024 * 1024

H264_PARAMETERS = (7, 8)
H265_PARAMETERS = (32, 33, 34)


def h264_kind(payload: bytes | memoryview) -> int:
    """What a packet carries: 2 a key picture, 1 another picture, 0 neither (parameter sets, SEI, …)."""
    kind = payload[0] & 31
    if kind in (28, 29) and len(payload) > 1:
        kind = payload[1] & 31
    if kind == 24:
        return max((h264_kind(nal) for nal in _aggregated(payload, 1)), default=0)
    return 2 if kind == 5 else int(1 <= kind <= 4)


def h265_kind(payload: bytes | memoryview) -> int:
    """As h264_kind; every IRAP picture (16..23) is a key picture."""
    kind = (payload[0] >> 1) & 63
    if kind == 49 and len(payload) > 2:
        kind = payload[2] & 63
    if kind == 48:
        return max((h265_kind(nal) for nal in _aggregated(payload, 2)), default=0)
    return 2 if 16 <= kind <= 23 else int(kind < 16)


def h264_nals(payloads: Iterable[memoryview]) -> list[bytes]:
    """NAL units of one frame; a fragmented unit whose start was lost is left out."""
    return _nals(payloads, _h264_packet)


def h265_nals(payloads: Iterable[memoryview]) -> list[bytes]:
    """As h264_nals."""
    return _nals(payloads, _h265_packet)


class _Assembly:
    """Units of one frame so far, and the fragmented one that is still open."""

    def __init__(self) -> None:
        self.units: list[bytes] = []
        self.open: list[bytes | memoryview] = []

    def fragment(self, flags: int, header: bytes, rest: memoryview) -> None:
        if flags & 0x80:
            self.open = [header, rest]
        elif self.open:
            self.open.append(rest)
        if flags & 0x40 and self.open:
            self.units.append(b"".join(self.open))
            self.open = []


def _nals(payloads: Iterable[memoryview], take: Callable[[memoryview, _Assembly], None]) -> list[bytes]:
    assembly = _Assembly()
    for payload in payloads:
        if len(payload) > 2:
            take(payload, assembly)
    return assembly.units


def _h264_packet(payload: memoryview, assembly: _Assembly) -> None:
    kind = payload[0] & 31
    if kind == 28:
        header = bytes((payload[0] & 0xE0 | payload[1] & 31,))
        assembly.fragment(payload[1], header, payload[2:])
    elif kind == 24:
        assembly.units += [bytes(nal) for nal in _aggregated(payload, 1)]
    elif 1 <= kind <= 23:
        assembly.units.append(bytes(payload))


def _h265_packet(payload: memoryview, assembly: _Assembly) -> None:
    kind = (payload[0] >> 1) & 63
    if kind == 49:
        header = bytes((payload[0] & 0x81 | (payload[2] & 63) << 1, payload[1]))
        assembly.fragment(payload[2], header, payload[3:])
    elif kind == 48:
        assembly.units += [bytes(nal) for nal in _aggregated(payload, 2)]
    elif kind < 48:
        assembly.units.append(bytes(payload))


def _aggregated(payload: bytes | memoryview, start: int) -> list[bytes | memoryview]:
    found = []
    while start + 2 < len(payload):
        size = payload[start] << 8 | payload[start + 1]
        unit = payload[start + 2 : start + 2 + size]
        if not size or len(unit) < size:
            break
        found.append(unit)
        start += 2 + size
    return found
