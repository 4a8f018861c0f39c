"""Fragmented MP4 (ISO/IEC 14496-12, -15): an init segment per parameter set, one moof + mdat per frame.

The layout is fixed, and services.media.boxes reads it back.
"""

import struct

from services.mts import bits
from services.mts.bits import Sps

VIDEO_TRACK = 1

# moof(mfhd, traf(tfhd, tfdt v1, trun v1)) and the mdat header; sizes and offsets are constant per layout.
_PLAIN = struct.Struct(">20sI36sQ20sIIII4s")
_MOOF = struct.pack(">I4sI4sI", 100, b"moof", 16, b"mfhd", 0)
_TRAF = struct.pack(">I4sI4sIII4sI", 76, b"traf", 16, b"tfhd", 0x20000, VIDEO_TRACK, 20, b"tfdt", 0x1000000)
_TRUN = struct.pack(">I4sIIi", 32, b"trun", 0x1000701, 1, 108)
_SHIFTED = struct.Struct(">I4sI4sIII4sI4sIII4sIQI4sIIiIIIiI4s")
_STAMP = struct.Struct(">I4sIIQQ")
_NTP_EPOCH = 2_208_988_800
_KEY, _DELTA = 0x2000000, 0x1010000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def fragment(sequence: int, dts: int, duration: int, key: bool, size: int, shift: int = 0) -> bytes:
    """Everything before the sample's bytes; times in ticks of the init's timescale, `shift` = pts - dts."""
    flags = _KEY if key else _DELTA
    if not shift:
        return _PLAIN.pack(_MOOF, sequence, _TRAF, dts, _TRUN, duration, size, flags, size + 8, b"mdat")
    head = (104, b"moof", 16, b"mfhd", 0, sequence, 80, b"traf", 16, b"tfhd", 0x20000, VIDEO_TRACK, 20)
    run = (36, b"trun", 0x1000F01, 1, 112, duration, size, flags)
    return _SHIFTED.pack(*head, b"tfdt", 0x1000000, dts, *run, shift, size + 8, b"mdat")


def stamp(dts: int, at: int) -> bytes:
    """The `prft` box before a key frame (§8.16.5): it had come at `at`, microseconds since 1970."""
    seconds, rest = divmod(at, 1_000_000)
    ntp = seconds + _NTP_EPOCH << 32 | (rest << 32) // 1_000_000
    # Flag 2: the moment at which the fragment was complete.
    return _STAMP.pack(32, b"prft", 0x1000002, VIDEO_TRACK, ntp, dts)


def avc_entry(all_sps: list[bytes], all_pps: list[bytes]) -> tuple[Sps, bytes]:
    """Picture facts and the `avc1` sample entry (ISO/IEC 14496-15 §5.3.3); raises bits.BitstreamError."""
    sps = all_sps[0]
    facts = bits.h264(sps)
    record = b"\x01" + bits.unescape(sps)[1:4] + bytes((0xFF, 0xE0 | len(all_sps)))
    record += b"".join(map(_sized, all_sps)) + bytes((len(all_pps),)) + b"".join(map(_sized, all_pps))
    if sps[1] in (100, 110, 122, 144):
        record += bytes((0xFC | facts.chroma, 0xF8 | facts.luma_depth - 8, 0xF8 | facts.chroma_depth - 8, 0))
    return facts, _visual(b"avc1", facts, box(b"avcC", record))


def hevc_entry(sets: list[list[bytes]]) -> tuple[Sps, bytes]:
    """Picture facts and the `hvc1` sample entry from VPS, SPS and PPS units; raises bits.BitstreamError."""
    sps = sets[1][0]
    facts = bits.h265(sps)
    general = bits.unescape(sps)
    record = b"\x01" + general[3:15] + b"\xf0\x00\xfc"
    record += bytes((0xFC | facts.chroma, 0xF8 | facts.luma_depth - 8, 0xF8 | facts.chroma_depth - 8))
    layers = ((general[2] >> 1) & 7) + 1
    record += b"\x00\x00" + bytes((layers << 3 | (general[2] & 1) << 2 | 3, 3))
    for units in sets:
        record += bytes((0x80 | (units[0][0] >> 1) & 63, 0, len(units))) + b"".join(map(_sized, units))
    return facts, _visual(b"hvc1", facts, box(b"hvcC", record))


def init_segment(facts: Sps, entry: bytes, timescale: int) -> bytes:
    """ftyp + moov of one video track; `fmp4_sound.added` counts on mvex with its trex being the end."""
    size = struct.pack(">2I", facts.width << 16, facts.height << 16)
    picture = track(VIDEO_TRACK, timescale, b"vide", full(b"vmhd", 1, bytes(8)), entry, size)
    return movie(timescale, picture, VIDEO_TRACK)


def movie(timescale: int, only: bytes, number: int) -> bytes:
    """ftyp + moov of this one `trak`."""
    mvhd = full(b"mvhd", 0, struct.pack(">5IH10x", 0, 0, timescale, 0, 0x10000, 0x100), _MATRIX,
                bytes(24), struct.pack(">I", number + 1))  # fmt: skip
    ftyp = box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5iso6mp41")
    return ftyp + box(b"moov", mvhd, only, box(b"mvex", extends(number)))


def track(number: int, timescale: int, handler: bytes, head: bytes, entry: bytes, size: bytes) -> bytes:
    """A `trak` without samples of its own; `size` is width and height, 16.16 each, zero for sound."""
    volume = 0 if handler == b"vide" else 0x100
    tkhd = full(b"tkhd", 3, struct.pack(">5I8x4H", 0, 0, number, 0, 0, 0, 0, volume, 0), _MATRIX, size)
    mdhd = full(b"mdhd", 0, struct.pack(">4I2H", 0, 0, timescale, 0, 0x55C4, 0))
    name = b"VideoHandler" if handler == b"vide" else b"SoundHandler"
    hdlr = full(b"hdlr", 0, struct.pack(">I4s12x", 0, handler), name + b"\x00")
    dref = full(b"dref", 0, struct.pack(">I", 1), full(b"url ", 1))
    empty = [full(kind, 0, bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    stbl = box(b"stbl", full(b"stsd", 0, struct.pack(">I", 1), entry), *empty, full(b"stsz", 0, bytes(8)))
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, box(b"minf", head, box(b"dinf", dref), stbl)))


def extends(number: int) -> bytes:
    """The `trex` of a track."""
    return full(b"trex", 0, struct.pack(">5I", number, 1, 0, 0, 0))


def _visual(kind: bytes, facts: Sps, configuration: bytes) -> bytes:
    head = struct.pack(">6xH16x2H", 1, facts.width, facts.height)
    tail = struct.pack(">3IH32x2H", 0x480000, 0x480000, 0, 1, 24, 0xFFFF)
    return box(kind, head, tail, configuration)


def _sized(nal: bytes) -> bytes:
    if len(nal) > 0xFFFF:
        raise bits.BitstreamError("a parameter set of more than 65535 bytes")
    return len(nal).to_bytes(2, "big") + nal


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box (§4.2) of these parts."""
    return (8 + sum(map(len, parts))).to_bytes(4, "big") + kind + b"".join(parts)


def full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    """A full box (§4.2) of version 0."""
    return box(kind, flags.to_bytes(4, "big"), *parts)
