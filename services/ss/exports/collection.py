"""The archives of several nodes as one: their files one behind the other, and one table of contents."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from services.ss.exports import archive
from services.ss.exports.archive import Member


@dataclass(frozen=True)
class Part:
    """The archive of a node; `sha256` is that of all of it."""

    node: str
    sha256: str
    members: tuple[Member, ...]

    @property
    def end(self) -> int:
        """Where its own table of contents begins."""
        return max(one.offset + one.size for one in self.members)


@dataclass(frozen=True)
class Collection:
    """One archive: the files of `parts`, then `tail`."""

    parts: tuple[Part, ...]
    tail: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(part.end for part in self.parts) + len(self.tail)

    @property
    def tag(self) -> str:
        """The same for the same bytes, without quotation marks."""
        known = "".join(part.sha256 for part in self.parts).encode() + self.tail
        return hashlib.sha256(known).hexdigest()


@dataclass(frozen=True)
class Slice:
    """Bytes [start, end) of the archive of `part`; of the common table of contents where it is None."""

    part: Part | None
    start: int
    end: int


def join(parts: Sequence[Part]) -> Collection:
    """One archive of all; ValueError where two files have one name."""
    members: list[Member] = []
    place = 0
    for part in parts:
        members += [replace(one, offset=one.offset + place) for one in part.members]
        place += part.end
    if len({one.name for one in members}) < len(members):
        raise ValueError("two files have the same name")
    return Collection(tuple(parts), archive.tail(members, place))


def slices(whole: Collection, start: int, end: int) -> Iterator[Slice]:
    """Where the bytes [start, end) of the whole come from, in their order."""
    place = 0
    for part, size in [*((one, one.end) for one in whole.parts), (None, len(whole.tail))]:
        first, last = max(start - place, 0), min(end - place, size)
        if first < last:
            yield Slice(part, first, last)
        place += size
