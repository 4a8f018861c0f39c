"""One recorded file: what is known of it, and its name, which says most of that."""

import re
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from services.media.plans import CONTINUOUS

CAMERA = "camera"
"""The `source` of footage that was fetched from the camera's own storage afterwards."""
MOST_SPARE, SPARE_SECONDS = 4096, 30
JOINED, GAP, CLOCK = "c", "g", "s"
"""How a file follows the one before: without a gap, after a gap, after somebody set the clock."""
PER_FOLDER = 1000
SECOND, MILLI = 1_000_000, 1000
LATEST = 2**62
"""Microseconds; the latest moment since 1970 leaves some room for sums in what the index can hold."""
CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PLAIN, SEALED = ".mp4", ".sealed"
"""How names end; releases that cannot decrypt leave alone what they do not know."""
_NAME = re.compile(r"(\d{8})-(\d{8}T\d{6})(\d{6})Z-([cgs])(?:\.mp4|\.sealed)")
_GOP = struct.Struct(">IIIH")


@dataclass(frozen=True)
class Gop:
    """A key frame with what follows it: byte offset in the file, arrival in microseconds, tick, frames."""

    offset: int
    at: int
    tick: int
    frames: int


@dataclass(frozen=True)
class Entry:
    """One file, from `start` to before `end` (microseconds since 1970); `seq` counts the channel's files.

    `kind` is why it was recorded: continuous, event or manual. `parts` is the table of an encrypted one (see
    storage.Sealed), else empty; `size` and offsets count what is in it. Without GOPs it cannot be read now.
    `source` is CAMERA for what was fetched, else empty.
    """

    channel: str
    seq: int
    start: int
    end: int
    size: int
    root: str
    join: str
    timescale: int
    gops: tuple[Gop, ...]
    kind: str = CONTINUOUS
    parts: bytes = b""
    source: str = ""

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.root) / place(
            self.channel, self.seq, self.start, self.join, SEALED if self.parts else PLAIN
        )

    def ended(self, end: int) -> "Entry":
        """The same, with another end."""
        return replace(self, end=max(end, self.start))


def spare(gap: int) -> int:
    """How many numbers stay free in a gap of so many microseconds, for what may be fetched into it."""
    return min(MOST_SPARE, 16 + max(0, gap) // (SPARE_SECONDS * SECOND))


def joins(earlier: Entry, later: Entry) -> bool:
    """Whether a file follows another one without a gap; fetched footage closes what a name tells of.

    A number is missing where a file of one GOP was replaced by the whole of it.
    """
    near = abs(later.start - earlier.end) <= SECOND // 2
    if CAMERA in (earlier.source, later.source):
        return near and later.join != CLOCK
    return later.join == JOINED and (near or later.seq == earlier.seq + 1)


def place(channel: str, seq: int, start: int, join: str, suffix: str = PLAIN) -> str:
    """Path below a storage folder; 1000 files share a folder, so that listing the newest one is quick."""
    seconds, rest = divmod(start, SECOND)
    day = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{channel}/{seq // PER_FOLDER:05d}/{seq:08d}-{day}{rest:06d}Z-{join}{suffix}"


def numbered(name: str) -> int | None:
    """Number of a file name; None if it is not one of ours."""
    return int(name[:8]) if _NAME.fullmatch(name) else None


def named(name: str) -> tuple[int, int, str] | None:
    """Number, start and join of a file name; None if it is not one of ours."""
    if not (found := _NAME.fullmatch(name)):
        return None
    moment = datetime.strptime(found[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return int(found[1]), int(moment.timestamp()) * SECOND + int(found[3]), found[4]


def pack(gops: tuple[Gop, ...]) -> bytes:
    """A table of GOPs for the index; times and ticks from the first one, which is written in full."""
    if not gops:
        return b""
    first = gops[0]
    # A clock that is set starts a new file, so that no time lies before the first one.
    rows = (_GOP.pack(g.offset, max(0, g.at - first.at), g.tick - first.tick, g.frames) for g in gops)
    return first.tick.to_bytes(8, "big") + b"".join(rows)


def unpack(start: int, data: bytes) -> tuple[Gop, ...]:
    """The table again; `start` is the file's."""
    if not data:
        return ()
    tick = int.from_bytes(data[:8], "big")
    rows = _GOP.iter_unpack(data[8:])
    return tuple(Gop(offset, start + at, tick + ticks, frames) for offset, at, ticks, frames in rows)
