"""The caller's own walls of live pictures."""

from dataclasses import dataclass
from typing import Annotated, Literal

from services.smc import layouts
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Number, Text
from services.smc.layouts import Layout


@dataclass(frozen=True)
class LayoutTile:
    """One place of a wall, empty without a `channel`; `auto` chooses the stream by the size on the screen."""

    channel: Annotated[str, Text(0, 20, "[A-Za-z0-9-]*")]
    stream: Literal["auto", "main", "sub", "converted"] = "auto"


@dataclass(frozen=True)
class NewLayout:
    """A wall to keep; `size` is 1, 4, 9, 16, 25 or 36, with at most as many tiles; missing ones are empty."""

    name: Annotated[str, Text(1, layouts.LONGEST_NAME)]
    size: Annotated[int, Number(1, 36)]
    tiles: Annotated[list[LayoutTile], Items(0, 36)]
    first: bool = False


@operation("GET", "/layouts", answer=list[Layout], permission=layouts.PERMISSION)
def list_layouts(call: Call) -> list[Layout]:
    """The caller's layouts of the live page."""
    return layouts.listing(call.session, call.account)


@operation("POST", "/layouts", body=NewLayout, answer=Layout, permission=layouts.PERMISSION)
def save_layout(call: Call) -> Layout:
    """Keep a layout under its name, in place of the caller's one that has it."""
    body: NewLayout = call.body
    tiles = [layouts.Tile(one.channel, one.stream) for one in body.tiles]
    return layouts.save(call.session, body.name, body.size, tiles, call.account, body.first)


@operation("DELETE", "/layouts/<id>", status=204, permission=layouts.PERMISSION)
def remove_layout(call: Call, id: str) -> None:
    """Remove one of the caller's layouts."""
    layouts.remove(call.session, id, call.account)
