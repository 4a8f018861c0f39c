"""The frame of a ZIP archive (APPNOTE 6.3.9) around files that stand in it already: stored, 64-bit sizes."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_SIZES = struct.Struct("<HHQQ")
_SIZES_AND_PLACE = struct.Struct("<HHQQQ")
_END64 = struct.Struct("<IQHHIIQQQQ")
_END64_PLACE = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")
_VERSION, _UTF8, _STORED, _ZIP64, _LATER = 45, 0x800, 0, 1, 0xFFFFFFFF
_REGULAR = 0o100644 << 16
_UNIX = 3 << 8


@dataclass(frozen=True)
class Member:
    """A file in the archive: its bytes stand at `offset`; `at`: seconds since 1970."""

    name: str
    at: float
    offset: int
    size: int
    crc: int


def room(name: str) -> int:
    """How long the head before a file is."""
    return _LOCAL.size + len(name.encode()) + _SIZES.size


def head(one: Member) -> bytes:
    """What stands right before the bytes of a file."""
    name, (day, clock) = one.name.encode(), _dos(one.at)
    fixed = _LOCAL.pack(0x04034B50, _VERSION, _UTF8, _STORED, clock, day, one.crc, _LATER, _LATER,
                        len(name), _SIZES.size)  # fmt: skip
    return fixed + name + _SIZES.pack(_ZIP64, 16, one.size, one.size)


def tail(members: Sequence[Member], place: int) -> bytes:
    """The table of contents, which stands at `place`, behind the last file."""
    rows = b"".join(map(_row, members))
    count, end = len(members), place + len(rows)
    long = _END64.pack(0x06064B50, _END64.size - 12, _UNIX | _VERSION, _VERSION, 0, 0, count, count,
                       len(rows), place)  # fmt: skip
    return b"".join((rows, long, _END64_PLACE.pack(0x07064B50, 0, end, 1),
                     _END.pack(0x06054B50, 0, 0, 0xFFFF, 0xFFFF, _LATER, _LATER, 0)))  # fmt: skip


def _row(one: Member) -> bytes:
    name, (day, clock) = one.name.encode(), _dos(one.at)
    fixed = _CENTRAL.pack(0x02014B50, _UNIX | _VERSION, _VERSION, _UTF8, _STORED, clock, day, one.crc, _LATER,
                          _LATER, len(name), _SIZES_AND_PLACE.size, 0, 0, 0, _REGULAR, _LATER)  # fmt: skip
    place = one.offset - room(one.name)
    return fixed + name + _SIZES_AND_PLACE.pack(_ZIP64, 24, one.size, one.size, place)


def _dos(at: float) -> tuple[int, int]:
    """Day and time as MS-DOS counts them, from 1980 to 2107."""
    one = datetime.fromtimestamp(min(max(at, 315_532_800), 4_354_819_199), UTC)
    day = (one.year - 1980) << 9 | one.month << 5 | one.day
    return day, one.hour << 11 | one.minute << 5 | one.second // 2
