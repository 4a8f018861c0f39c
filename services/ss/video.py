"""What an init segment shows (ISO/IEC 14496-15 §5.3.3, §8.3.3), as a session description tells it."""

import base64
from dataclasses import dataclass

from services.runtime.sdp import Media
from services.ss import boxes
from services.ss.boxes import TornError

PAYLOAD_TYPE = 96
CLOCK_RATE = 90_000
_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_STSD_HEAD, _VISUAL_HEAD = 8, 78
_SPROP = ("sprop-vps", "sprop-sps", "sprop-pps")


@dataclass(frozen=True)
class Video:
    """Codec (H264 or H265), and its parameter sets by kind: SPS, PPS; or VPS, SPS, PPS."""

    codec: str
    sets: tuple[tuple[bytes, ...], ...]

    @property
    def hevc(self) -> bool:
        return self.codec == "H265"

    @property
    def media(self) -> Media:
        """The track of a session description (RFC 6184 §8, RFC 7798 §7)."""
        if self.hevc:
            told = {name: _base64(units) for name, units in zip(_SPROP, self.sets, strict=True)}
        else:
            told = {"packetization-mode": "1", "profile-level-id": self.sets[0][0][1:4].hex()}
            told["sprop-parameter-sets"] = _base64(self.sets[0] + self.sets[1])
        return Media("video", PAYLOAD_TYPE, self.codec, CLOCK_RATE, fmtp=told)


def video(init: bytes) -> Video:
    """Read an init segment; raises boxes.TornError if it holds no such video."""
    try:
        inside = init
        for name in _WAY:
            inside = next(body for kind, body in boxes.inside(inside) if kind == name)
        entry, body = next(boxes.inside(inside[_STSD_HEAD:]))
        wanted = {b"avc1": b"avcC", b"hvc1": b"hvcC"}[entry]
        record = next(body for kind, body in boxes.inside(body[_VISUAL_HEAD:]) if kind == wanted)
        return Video("H264", _avc(record)) if entry == b"avc1" else Video("H265", _hevc(record))
    except (StopIteration, KeyError, IndexError, ValueError) as error:
        raise TornError("its init segment shows neither H.264 nor H.265") from error


def _avc(record: bytes) -> tuple[tuple[bytes, ...], ...]:
    sps, position = _units(record, 6, record[5] & 31)
    pps, _ = _units(record, position + 1, record[position])
    return _whole(sps, pps)


def _hevc(record: bytes) -> tuple[tuple[bytes, ...], ...]:
    position, found = 23, {}
    for _ in range(record[22]):
        kind = record[position] & 63
        found[kind], position = _units(record, position + 3, record[position + 1] << 8 | record[position + 2])
    return _whole(found[32], found[33], found[34])


def _units(record: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    units = []
    for _ in range(count):
        size = record[position] << 8 | record[position + 1]
        units.append(record[position + 2 : position + 2 + size])
        position += 2 + size
    return tuple(units), position


def _whole(*sets: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], ...]:
    if any(not units or any(len(unit) < 4 for unit in units) for units in sets):
        raise ValueError("a parameter set is missing")
    return sets


def _base64(units: tuple[bytes, ...]) -> str:
    return ",".join(base64.b64encode(unit).decode() for unit in units)
