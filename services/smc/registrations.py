"""Devices that ask to register with some node under an id that nobody added."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.runtime.errors import Problem
from services.smc import manager, nodes, peers

AT_ONCE = 8
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
    """Asked of every enabled node that is reachable; a node that gives no answer is left out."""
    enabled = [one for one in nodes.listing(session) if one.state == "enabled" and one.reach != "unreachable"]
    found = [manager.address(session, one.name) for one in enabled]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [one for rows in pool.map(_ask, found) for one in rows]


def _ask(peer: peers.Peer) -> list[Asking]:
    try:
        return [_read(peer.name, row) for row in peers.call(peer, "GET", "/asking", service="ars")]
    except (Problem, KeyError, TypeError, ValueError):
        return []


def _read(node: str, row: dict[str, Any]) -> Asking:
    id, kind, address, first, last = (str(row[key])[:LONGEST] for key in TEXTS)
    return Asking(node, id, kind, address, first, last, int(row["count"]))
