"""Orders to cameras that move: passed to the node of the device, whose DSS_DMS ends every move."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy.orm import Session

from services.runtime.errors import Problem
from services.smc import live, models, peers
from services.smc.accounts import Account
from services.smc.nodes import Node

PERMISSION = "live.ptz"
Code = Literal[
    "up", "down", "left", "right", "left-up", "right-up", "left-down", "right-down",
    "zoom-in", "zoom-out", "focus-near", "focus-far",
]  # fmt: skip

USED = {"move": ("code", "speed"), "go": ("preset",), "save": ("preset",), "stop": ()}


@dataclass(frozen=True)
class Preset:
    """A place that the camera keeps, by its number."""

    id: int
    name: str


@dataclass(frozen=True)
class PtzState:
    """Where the camera looks (degrees and the camera's own measure of zoom; null where it does not say).

    `moving` is the code of the move that goes on, "" for none.
    """

    channel: str
    pan: float | None
    tilt: float | None
    zoom: float | None
    moving: str
    presets: list[Preset]


@dataclass(frozen=True)
class PtzAnswer:
    """`moving` as in the state; it ends by itself in `ends_in` seconds unless it is ordered again."""

    channel: str
    moving: str
    ends_in: float


def state(session: Session, channel: str, account: Account) -> PtzState:
    """Where the camera looks, and its presets; Problem 409 where it cannot be moved, and why."""
    row, node = _place(session, channel, account)
    found = _ask(node, "GET", row)
    return peers.parsed(node.name, lambda: _state(row.id, found))


def _state(channel: str, found: dict[str, Any]) -> PtzState:
    pan, tilt, zoom = (_number(found[one]) for one in ("pan", "tilt", "zoom"))
    presets = [Preset(int(one["id"]), str(one["name"])) for one in found["presets"]]
    return PtzState(channel, pan, tilt, zoom, str(found["moving"]), presets)


def order(session: Session, channel: str, asked: dict[str, Any], account: Account) -> PtzAnswer:
    """Do what `asked` says (interfaces.md §6); a move is audited when it begins, not while it goes on."""
    row, node = _place(session, channel, account)
    do = asked["do"]
    used = {name: asked[name] for name in USED[do]}
    if None in used.values():
        raise Problem("order-wrong", "The order cannot be understood.", "A move needs its `code`.",
                      "Correct it and try again.", status=422)  # fmt: skip
    found = _ask(node, "POST", row, {"do": do} | used)
    answer = peers.parsed(node.name, lambda: PtzAnswer(row.id, str(found["moving"]), float(found["ends_in"])))
    if found.get("began"):
        live.note(session, f"ptz.{do}", row, account, used)
    return answer


def _place(session: Session, channel: str, account: Account) -> tuple[models.Channel, Node]:
    account.need(PERMISSION)
    row = live.known(session, channel)
    device = session.get_one(models.Device, row.device_id)
    if device.kind == "rtsp":
        raise Problem(
            "ptz-unknown", "This camera cannot be moved from here.",
            "It is known by an RTSP address alone, and moving goes by another interface; ONVIF is planned.",
            "If it speaks Dahua's HTTP interface, add it as such a device.", status=409,
        )  # fmt: skip
    return row, live.ready(session, device.node)


def _ask(node: Node, method: str, row: models.Channel, data: object = None) -> dict[str, Any]:
    path = f"/ptz/{quote(row.id, safe='')}"
    return peers.told(node, "dms", method, path, data)


def _number(value: Any) -> float | None:  # noqa: ANN401 - what a node sent
    return None if value is None else float(value)
