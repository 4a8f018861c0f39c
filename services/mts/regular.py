"""Samples of pictures as most cameras send them, made with a few operations for all packets together.

Such a picture is whole NAL units, then one fragmented unit of which all packets but the last are as long as
each other, with the shortest RTP header. What is anything else is left to services.mts.depay.
"""

import struct
from functools import lru_cache

from services.mts.depay import Unit

Sample = tuple[Unit, int, list[bytes]]
"""Pieces, their size, and the parameter sets that stood between them."""
_Columns = tuple[int, ...]
H264, H265 = 1, 2
"""How many bytes the header of a NAL unit has; in a fragment (FU-A, FU) the flags stand behind it."""
_FRAGMENT = {H264: 28, H265: 49}
_LIKE: dict[int, _Columns] = {H264: (1, 2, 3, 4, 16), H265: (1, 2, 3, 4, 16, 17)}
"""Channel, length, RTP flags and NAL header: there all packets of a fragmented unit are the same."""
_MOST = 1024
"""Packets of a fragmented unit whose form is kept; a camera must not fill the memory with tiny ones."""
_START, _END, _TYPE = 0x80, 0x40, 0x3F


def sample(data: bytes, channel: int, header: int, parameters: tuple[int, ...]) -> Sample | None:
    """A frame's sample, without NAL units of the types of parameter sets; None where it is not regular."""
    pieces, total, position, size = Unit(), 0, 0, len(data)
    sets = list[bytes]()
    while position + 16 + header < size:
        end = position + 4 + (data[position + 2] << 8 | data[position + 3])
        if data[position + 1] == channel:
            if data[position + 4] != 0x80 or end - position <= 16 + header or end > size:
                return None
            kind = data[position + 16] & 31 if header == H264 else data[position + 16] >> 1 & 63
            if kind == _FRAGMENT[header]:
                more = _fragmented(data, position, end - position, header, pieces)
                return (pieces, total + more, sets) if more else None
            if kind in parameters:
                sets.append(data[position + 16 : end])
            elif not _alone(kind, header):
                return None
            else:
                length = end - position - 16
                pieces += (length.to_bytes(4, "big"), data[position + 16 : end])
                total += 4 + length
        position = end
    return (pieces, total, sets) if position == size else None


def _alone(kind: int, header: int) -> bool:
    """Whether a packet of this type is a NAL unit (RFC 6184 §5.2, RFC 7798 §4.4.1)."""
    return 1 <= kind <= 23 if header == H264 else kind < 48


def _fragmented(data: bytes, position: int, step: int, header: int, pieces: Unit) -> int:
    """Add the unit that fills the frame from a packet of `step` bytes on; its size, 0 if irregular."""
    count, flags = (len(data) - position) // step, 16 + header
    if count > _MOST:
        return 0
    stop, first = position + count * step, data[position + flags]
    body = 17 + header
    for at in _LIKE[header]:
        if data[position + at : stop : step] != data[position + at : position + at + 1] * count:
            return 0
    kind = first & _TYPE
    middle = data[position + step + flags : stop : step]
    if first & (_START | _END) != _START or middle != bytes((kind,)) * (count - 1):
        return 0
    rest = len(data) - stop
    if rest <= body or not _ends(data, position, stop, header, kind):
        return 0
    length = header + count * (step - body) + rest - body
    nal = data[position + 16 : position + flags]
    nal = bytes((nal[0] & 0xE0 | kind,)) if header == H264 else bytes((nal[0] & 0x81 | kind << 1, nal[1]))
    pieces += (length.to_bytes(4, "big"), nal)
    pieces += _bodies(body, step - body, count).unpack_from(data, position)
    pieces.append(data[stop + body :])
    return 4 + length


def _ends(data: bytes, position: int, stop: int, header: int, kind: int) -> bool:
    """Whether the packet from `stop` to the end of the frame is the last one of the unit at `position`."""
    heads = data[position + 16 : position + 16 + header] + bytes((_END | kind,))
    return (
        data[stop + 16 : stop + 17 + header] == heads
        and data[stop + 1] == data[position + 1]
        and data[stop + 4] == 0x80
        and len(data) - stop - 4 == (data[stop + 2] << 8 | data[stop + 3])
    )


@lru_cache(maxsize=256)
def _bodies(head: int, size: int, count: int) -> struct.Struct:
    return struct.Struct(f"{head}x{size}s" * count)
