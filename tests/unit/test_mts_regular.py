"""What is read in one go is byte by byte what packet-by-packet reading gives, or is not read so at all."""

import struct
from random import Random

import pytest

from services.mts import depay, regular
from services.mts.chunk import payloads

CHANNEL = 2
DICE = Random(1)  # noqa: S311  no secret
PARAMETERS = {regular.H264: depay.H264_PARAMETERS, regular.H265: depay.H265_PARAMETERS}


def packet(payload: bytes, channel: int = CHANNEL, first: int = 0x80) -> bytes:
    return struct.pack(">BBHBBHII", 0x24, channel, 12 + len(payload), first, 96, 1, 2, 3) + payload


def unit(kind: int, header: int, size: int) -> bytes:
    head = bytes((0x60 | kind,)) if header == regular.H264 else bytes((kind << 1, 1))
    return head + DICE.randbytes(size)


def fragments(nal: bytes, header: int, piece: int) -> list[bytes]:
    """Packets of a fragmented unit (RFC 6184 §5.8, RFC 7798 §4.4.3)."""
    kind = nal[0] & 31 if header == regular.H264 else nal[0] >> 1 & 63
    wide = bytes((nal[0] & 0x81 | 49 << 1, nal[1]))
    head = bytes((nal[0] & 0xE0 | 28,)) if header == regular.H264 else wide
    parts = [nal[at : at + piece] for at in range(header, len(nal), piece)]
    flags = [0x80, *[0] * (len(parts) - 2), 0x40]
    return [packet(head + bytes((kind | flag,)) + part) for flag, part in zip(flags, parts, strict=True)]


def units(data: bytes, header: int, parameters: bool) -> list[bytes]:
    nals = depay.h264_nals if header == regular.H264 else depay.h265_nals
    whole = [b"".join(one) for one in nals(data, payloads(data, CHANNEL))]
    kinds = PARAMETERS[header]
    return [
        n for n in whole if ((n[0] & 31 if header == regular.H264 else n[0] >> 1 & 63) in kinds) == parameters
    ]


def slowly(data: bytes, header: int) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in units(data, header, False))


def at_once(data: bytes, header: int) -> bytes | None:
    made = regular.sample(data, CHANNEL, header, PARAMETERS[header])
    if made is None:
        return None
    pieces, size, sets = made
    assert size == sum(map(len, pieces))
    assert sets == units(data, header, True)
    return b"".join(pieces)


def picture(header: int, size: int = 9000) -> list[bytes]:
    """Report, sound, information, parameter set, and a picture in fragments."""
    kinds = (6, 8, 1) if header == regular.H264 else (39, 34, 1)
    small = [packet(unit(kind, header, 40)) for kind in kinds[:2]]
    others = [packet(b"r" * 28, CHANNEL + 1), packet(b"s" * 200, 4)]
    return [*others, *small, *fragments(unit(kinds[2], header, size), header, 1400)]


@pytest.mark.parametrize("header", [regular.H264, regular.H265])
@pytest.mark.parametrize("size", [0, 9000])
def test_regular_pictures_are_read_at_once(header: int, size: int) -> None:
    data = b"".join(picture(header, 9000) if size else [packet(unit(1, header, 300))])
    assert at_once(data, header) == slowly(data, header)


@pytest.mark.parametrize("header", [regular.H264, regular.H265])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: [*p[:6], *p[7:]],
        lambda p: p[:-1],
        lambda p: [*p[:4], *p[5:]],
        lambda p: [*p[:6], packet(b"s" * (len(p[6]) - 16), 4), *p[6:]],
        lambda p: [*p[:6], packet(p[6][16:-4] + b"\0\0\0\4", first=0xA0), *p[7:]],
        lambda p: [*p, p[-1]],
        lambda p: [*p, packet(b"r" * 28, CHANNEL + 1)],
        lambda p: p + p,
    ],
)
def test_other_pictures_are_the_same_or_left_to_others(header: int, spoil: object) -> None:
    assert callable(spoil)
    data = b"".join(spoil(picture(header)))
    assert at_once(data, header) in (None, slowly(data, header))


def test_no_damage_makes_another_picture_of_it() -> None:
    for header in (regular.H264, regular.H265):
        good = b"".join(picture(header))
        heads = [at for n, at in enumerate(starts(good)) if n > 2]
        for _ in range(1500):
            data = bytearray(good)
            data[DICE.choice(heads) + DICE.randrange(4, 20)] = DICE.randrange(256)
            assert at_once(bytes(data), header) in (None, slowly(bytes(data), header))


def starts(data: bytes) -> list[int]:
    found, position = [], 0
    while position < len(data):
        found.append(position)
        position += 4 + int.from_bytes(data[position + 2 : position + 4], "big")
    return found


@pytest.mark.parametrize("header", [regular.H264, regular.H265])
def test_tiny_packets_are_left_to_others_so_that_their_forms_fill_no_memory(header: int) -> None:
    data = b"".join(fragments(unit(1, header, 3001), header, 2))
    assert at_once(data, header) is None
    assert at_once(b"".join(fragments(unit(1, header, 3001), header, 4)), header) is not None
