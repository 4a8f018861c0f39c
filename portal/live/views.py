"""The wall of live pictures, and the permission each picture is opened with."""

from dataclasses import asdict, dataclass

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from portal import guard, work
from services.smc import devices, live
from services.smc.devices import Channel, Device

blueprint = Blueprint("live", __name__)
SIZES = (1, 4)


@dataclass(frozen=True)
class Cell:
    """One place of the wall: the channel in it ("" for none) and the stream wanted."""

    channel: str
    stream: str


@blueprint.get("/live")
def page() -> ResponseReturnValue:
    """A wall of `size` pictures; each `c` is CHANNEL or CHANNEL:STREAM, empty for an empty place."""
    found = [one for one in devices.listing(work.session()) if one.carries_pictures]
    size = request.args.get("size", type=int)
    size = size if size in SIZES else SIZES[0]
    return render_template("live/page.html", devices=found, cells=_cells(found, size), size=size, sizes=SIZES)


@blueprint.post("/live/<channel>/open")
def open_channel(channel: str) -> ResponseReturnValue:
    """A one-time token for one picture: {"token", "expires_in", "ws", …} of `services.smc.live`."""
    stream = request.args.get("stream", "main")
    return jsonify(asdict(live.open(work.session(), channel, guard.account(), "portal", stream)))


def _cells(found: list[Device], size: int) -> list[Cell]:
    wanted = request.args.getlist("c")
    if not wanted:
        wanted = [channel.id for channel in _first(found, size)]
    cells = [Cell(text.partition(":")[0], text.partition(":")[2] or _usual(size)) for text in wanted[:size]]
    return cells + [Cell("", _usual(size))] * (size - len(cells))


def _first(found: list[Device], size: int) -> list[Channel]:
    """What a wall shows that nobody chose: the first pictures that are there."""
    return [channel for device in found if device.state == "online" for channel in device.channels][:size]


def _usual(size: int) -> str:
    return "main" if size == 1 else "sub"
