"""What stands on the wall: a layout of one's own, what the address says, or the first cameras there are."""

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from services.smc.devices import Channel, Device
from services.smc.layouts import SIZES, STREAMS, Layout, Tile


@dataclass(frozen=True)
class Wall:
    """`size` cells; `opened`: the layout they came from, `changed` since; `gone`: cameras that are away."""

    size: int
    cells: list[Tile]
    opened: Layout | None
    changed: bool
    gone: int


def read(args: MultiDict[str, str], kept: list[Layout], found: list[Device]) -> Wall:
    """The wall that the address asks for: `layout`, `size`, and for each cell `c`, CHANNEL or CHANNEL:STREAM.

    Without any of them it is the layout that opens first.
    """
    opened = _opened(args, kept)
    size = args.get("size", opened.size if opened else SIZES[0], type=int)
    size = size if size in SIZES else SIZES[0]
    changed = opened is not None and bool({"c", "size"} & args.keys())
    cells = _padded(_cells(args, opened, found, size), size)
    known = {"", *(channel.id for device in found for channel in device.channels)}
    there = [one if one.channel in known else Tile("", "auto") for one in cells]
    return Wall(size, there, opened, changed, sum(one.channel not in known for one in cells))


def tile(text: str) -> Tile:
    """CHANNEL or CHANNEL:STREAM; a stream that nobody knows is left to the tile's size."""
    channel, _, stream = text.partition(":")
    return Tile(channel, stream if stream in STREAMS else "auto")


def _opened(args: MultiDict[str, str], kept: list[Layout]) -> Layout | None:
    if "layout" in args:
        return next((one for one in kept if one.id == args["layout"]), None)
    return None if {"c", "size"} & args.keys() else next((one for one in kept if one.first), None)


def _cells(args: MultiDict[str, str], opened: Layout | None, found: list[Device], size: int) -> list[Tile]:
    if wanted := args.getlist("c"):
        return [tile(text) for text in wanted[:size]]
    return opened.tiles[:size] if opened else [Tile(one.id, "auto") for one in _first(found, size)]


def _first(found: list[Device], size: int) -> list[Channel]:
    """What a wall shows that nobody chose: the first pictures that are there."""
    return [channel for device in found if device.state == "online" for channel in device.channels][:size]


def _padded(cells: list[Tile], size: int) -> list[Tile]:
    return cells + [Tile("", "auto")] * (size - len(cells))
