"""RTP payloads of one frame to NAL units: H.264 (RFC 6184) and H.265 (RFC 7798), non-interleaved modes."""

Unit = list[bytes | memoryview]
"""A NAL unit in pieces, so that nothing is copied before the whole fragment is put together."""

H264_PARAMETERS = (7, 8)
H265_PARAMETERS = (32, 33, 34)


def h264_kind(payload: bytes | memoryview) -> int:
    """What a packet begins: 2 a key picture, 1 another picture, 0 neither (parameter sets, SEI, …).

    The rest of a fragment begins nothing: a camera may start to play in the middle of a picture.
    """
    kind = payload[0] & 31
    if kind in (28, 29) and len(payload) > 1:
        kind = payload[1] & 31 if payload[1] & 0x80 else 0
    if kind == 24:
        # None may hold another one: who nests them wants the stack to overflow.
        return max((h264_kind(nal) for nal in _aggregated(payload, 1) if nal[0] & 31 != 24), default=0)
    return 2 if kind == 5 else int(1 <= kind <= 4)


def h265_kind(payload: bytes | memoryview) -> int:
    """As h264_kind; every IRAP picture (16..23) is a key picture."""
    kind = (payload[0] >> 1) & 63
    if kind == 49 and len(payload) > 2:
        if not payload[2] & 0x80:
            return 0
        kind = payload[2] & 63
    if kind == 48:
        inner = (nal for nal in _aggregated(payload, 2) if (nal[0] >> 1) & 63 != 48)
        return max((h265_kind(nal) for nal in inner), default=0)
    return 2 if 16 <= kind <= 23 else int(kind < 16)


def h264_nals(data: bytes, spans: list[tuple[int, int]]) -> list[Unit]:
    """NAL units of one frame from its payloads; a fragmented unit whose start or end was lost is left out."""
    view, units, parts = memoryview(data), list[Unit](), Unit()
    for start, end in spans:
        kind = data[start] & 31
        if kind == 28 and end - start > 2:
            flags = data[start + 1]
            if flags & 0x80:
                parts = [bytes((data[start] & 0xE0 | flags & 31,)), view[start + 2 : end]]
            elif parts:
                parts.append(view[start + 2 : end])
            if flags & 0x40 and parts:
                units.append(parts)
                parts = Unit()
        elif kind == 24:
            units += [[nal] for nal in _aggregated(view[start:end], 1)]
        elif 1 <= kind <= 23:
            units.append([view[start:end]])
    return units


def h265_nals(data: bytes, spans: list[tuple[int, int]]) -> list[Unit]:
    """As h264_nals."""
    view, units, parts = memoryview(data), list[Unit](), Unit()
    for start, end in spans:
        kind = (data[start] >> 1) & 63
        if end - start < 4:
            continue
        if kind == 49:
            flags = data[start + 2]
            if flags & 0x80:
                header = bytes((data[start] & 0x81 | (flags & 63) << 1, data[start + 1]))
                parts = [header, view[start + 3 : end]]
            elif parts:
                parts.append(view[start + 3 : end])
            if flags & 0x40 and parts:
                units.append(parts)
                parts = Unit()
        elif kind == 48:
            units += [[nal] for nal in _aggregated(view[start:end], 2)]
        elif kind < 48:
            units.append([view[start:end]])
    return units


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
