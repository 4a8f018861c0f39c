"""Which recordings stand on the playback page: what the address says, else the first recorded channels."""

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from services.smc.devices import Channel

SIZES = (1, 4, 9)


@dataclass(frozen=True)
class Desk:
    """`size` cells with a channel's id each, "" for none; `gone`: how many of the address are away."""

    size: int
    cells: list[str]
    gone: int


def read(args: MultiDict[str, str], channels: list[Channel]) -> Desk:
    """What the address asks for: `size`, and for each picture `c`; without a size as many as fit."""
    wanted = args.getlist("c")[: SIZES[-1]]
    least = next(size for size in SIZES if size >= len(wanted))
    size = args.get("size", least, type=int)
    size = size if size in SIZES else least
    cells = (wanted or _first(channels, size))[:size]
    known = {"", *(one.id for one in channels)}
    there = [one if one in known else "" for one in cells]
    return Desk(size, there + [""] * (size - len(there)), sum(one not in known for one in cells))


def _first(channels: list[Channel], size: int) -> list[str]:
    recorded = [one for one in channels if one.record != "off"]
    return [one.id for one in (recorded or channels[:1])[:size]]
