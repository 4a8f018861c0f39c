"""Devices that ask to register with some node under an id that nobody added."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.smc import everywhere
from services.smc.nodes import Node

LONGEST = 64
TEXTS = ("register_id", "device_class", "address", "first", "last")


@dataclass(frozen=True)
class Asking:
    """What a stranger says of itself, and from where; `first` and `last` are ISO times of the node."""

    node: str
    register_id: str
    device_class: str
    address: str
    first: str
    last: str
    count: int


def asking(session: Session) -> list[Asking]:
    """Asked of every node that is enabled; one that gives no answer is left out."""
    answers = everywhere.ask(session, "/asking", _read, service="ars")
    return [row for one in answers if one.node.state == "enabled" for row in one.value or []]


def _read(node: Node, rows: list[dict[str, Any]]) -> list[Asking]:
    return [_asking(node.name, row) for row in rows]


def _asking(node: str, row: dict[str, Any]) -> Asking:
    id, kind, address, first, last = (str(row[key])[:LONGEST] for key in TEXTS)
    return Asking(node, id, kind, address, first, last, int(row["count"]))
