"""What DSS_MTS sends to the recorder of its node: frames of one stream, many at once."""

import struct
from dataclasses import dataclass

HEADER = struct.Struct(">BBHQQQ")
"""Flags, version, frames, arrival of the first one (microseconds since 1970), its tick, tick of the end."""
KEY, GAP, KEPT = 1, 2, 4
"""It begins with a key frame; something is missing before it; it was kept for a recorder that was away."""
VERSION = 1


@dataclass(frozen=True)
class Batch:
    """Some frames in a row; `body` is their fragments, ready to be written."""

    key: bool
    gap: bool
    frames: int
    at: int
    first: int
    end: int
    kept: bool
    body: bytes | memoryview


def read(message: bytes | bytearray) -> Batch:
    """The batch of a binary message; raises ValueError if it is none that this release knows."""
    if len(message) <= HEADER.size:
        raise ValueError("a batch without frames")
    flags, version, frames, at, first, end = HEADER.unpack_from(message)
    if version != VERSION:
        raise ValueError(f"a batch of version {version}")
    body = memoryview(message)[HEADER.size :]
    return Batch(bool(flags & KEY), bool(flags & GAP), frames, at, first, end, bool(flags & KEPT), body)
