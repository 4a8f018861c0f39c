"""Cutting a span into pieces that each fit one file: no gap, no set clock, one format, bounded length."""

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from services.ss.entry import CLOCK, SECOND, Entry, joins, pack, unpack
from services.ss.library import Library
from services.ss.reader import Place, init_of, places

LONGEST = 6 * 3600 * SECOND
"""A plain MP4 keeps 70 bytes a picture in memory while it is made."""
_STRAY = 10
"""Seconds by which camera and clock may differ over one GOP within a piece."""


@dataclass(frozen=True)
class Piece:
    """GOPs that follow each other without a break; `after` is start, gap, clock, format or length."""

    places: tuple[Place, ...]
    init: bytes
    after: str

    @property
    def start(self) -> int:
        """Arrival of its first picture, microseconds since 1970."""
        return self.places[0].at

    @property
    def end(self) -> int:
        """Where it ends, microseconds since 1970."""
        return self.places[-1].end

    @property
    def track(self) -> str:
        """The key of the stream that it is of."""
        return self.places[0].entry.channel

    @property
    def timescale(self) -> int:
        return self.places[0].entry.timescale

    @property
    def last(self) -> tuple[int, int]:
        """Number of the last file and of the GOP in it: the next piece begins behind it."""
        return self.places[-1].entry.seq, self.places[-1].number

    @property
    def frames(self) -> int:
        """Pictures, as the index says."""
        return sum(one.entry.gops[one.number].frames for one in self.places)

    @property
    def size(self) -> int:
        """Bytes of all of it as recorded."""
        return len(self.init) + sum(one.bytes[1] for one in self.places)


def pieces(
    library: Library, channel: str, start: int, end: int, behind: tuple[int, int] | None = None
) -> Iterator[Piece]:
    """The pieces of [start, end), microseconds, in the order of recording, from `behind` a `Piece.last` on.

    Each begins with the key frame at or before its first wanted moment. Files that are gone are left out.
    """
    held: list[Place] = []
    after, head = "gap" if behind else "start", b""
    for place in places(library, channel, start, end):
        if behind and (place.entry.seq, place.number) < behind:
            continue
        init = head if held and held[-1].entry is place.entry else init_of(place.entry)
        if init is None:
            continue
        why = _break(held, place, head, init)
        if behind and held and (held[-1].entry.seq, held[-1].number) == behind:
            # What stands in the file before: only tells why the next one begins.
            held, after = [], why or "length"
        elif why:
            yield Piece(tuple(held), head, after)
            held, after = [], why
        held.append(place)
        head = init
    if held and (held[-1].entry.seq, held[-1].number) != behind:
        yield Piece(tuple(held), head, after)


def _break(held: list[Place], place: Place, head: bytes, init: bytes) -> str:
    """Why a GOP cannot follow in the same file; "" if it can."""
    if not held:
        return ""
    last = held[-1]
    if place.entry is not last.entry:
        if place.entry.join == CLOCK:
            return "clock"
        if not joins(last.entry, place.entry):
            return "gap"
    if init != head or place.entry.timescale != last.entry.timescale:
        return "format"
    ticks = place.entry.gops[place.number].tick - last.entry.gops[last.number].tick
    stray = ticks / place.entry.timescale - (place.at - last.at) / SECOND
    if ticks <= 0 or abs(stray) > _STRAY:
        return "gap"
    return "length" if place.end - held[0].at > LONGEST else ""


def as_dict(piece: Piece) -> dict[str, Any]:
    """JSON for the process that writes it, read back by `read`."""
    sources: list[dict[str, Any]] = []
    for one in piece.places:
        if sources and sources[-1]["seq"] == one.entry.seq:
            sources[-1]["high"] = one.number
            continue
        gops, parts = (base64.b64encode(data).decode() for data in (pack(one.entry.gops), one.entry.parts))
        about = asdict(replace(one.entry, gops=()))
        sources.append(about | {"gops": gops, "parts": parts, "low": one.number, "high": one.number})
    return {"init": base64.b64encode(piece.init).decode(), "after": piece.after, "sources": sources}


def read(data: dict[str, Any]) -> Piece:
    """The piece of `as_dict`."""
    found: list[Place] = []
    for one in data["sources"]:
        low, high = one.pop("low"), one.pop("high")
        gops = unpack(one["start"], base64.b64decode(one["gops"]))
        entry = Entry(**(one | {"gops": gops, "parts": base64.b64decode(one["parts"])}))
        found += [Place(entry, number) for number in range(low, high + 1)]
    return Piece(tuple(found), base64.b64decode(data["init"]), data["after"])
