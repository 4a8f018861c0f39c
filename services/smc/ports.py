"""The port matrix as it is: what was deployed on each node, and whether it listens."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import everywhere, nodes, peers, reach

OWN_TLS = {"nginx", "mts"}
"""Services whose TLS ports greet with the node's certificate before a client has to say who it is."""


@dataclass(frozen=True)
class NodePorts:
    """The matrix rows of one node; `problem` says why there are none or why `listening` is not known.

    `unlisted`: what listens there although the matrix lacks it, each with protocol, port, user and local;
    None where the node cannot tell.
    """

    node: str
    role: str
    rows: list[dict[str, Any]]
    problem: str
    unlisted: list[dict[str, Any]] | None = None


def matrix(session: Session) -> list[NodePorts]:
    """Rows of every node, main first: the columns of ports.json and `listening` (None: not known)."""
    own = config.load_node()
    others = [node for node in nodes.listing(session) if node.name != own.name]
    session.rollback()
    wanted = [(peers.Peer(own.name, None), own.role), *((peers.of(node), node.role) for node in others)]
    return everywhere.at_once(wanted, lambda one: _of(*one))


def of_node(session: Session, name: str) -> NodePorts:
    """Rows of one node, without `unlisted`; Problem 404 for a node that never joined."""
    own = config.load_node()
    if name == own.name:
        return _told(peers.Peer(own.name, None), own.role)
    node = nodes.get(session, name)
    session.rollback()
    return _told(peers.of(node), node.role)


@dataclass(frozen=True)
class Reached:
    """One listener of a node, tried from main over the network; `state` and `why` as in reach.Result."""

    node: str
    service: str
    name: str
    port: int
    state: str
    milliseconds: float | None
    why: str


def tried(session: Session, known: list[NodePorts]) -> list[Reached]:
    """Every TCP listener of a matrix that other hosts may reach, tried from main now; takes some seconds."""
    addresses = {one.name: one.address for one in nodes.listing(session)}
    session.rollback()
    found = [(one.node, row) for one in known for row in one.rows if _far(row)]
    found = [(node, row) for node, row in found if node in addresses]
    results = reach.attempt([
        # SSH has its keys, not our certificate.
        reach.Target(node, addresses[node], int(row["port"]), bool(row["tls"]) and row["service"] in OWN_TLS)
        for node, row in found
    ])  # fmt: skip
    return [
        Reached(node, row["service"], row["name"], int(row["port"]), one.state, one.milliseconds, one.why)
        for (node, row), one in zip(found, results, strict=True)
    ]


def _far(row: dict[str, Any]) -> bool:
    listener = row.get("direction") == "in" and row.get("status") == "built"
    return listener and row.get("protocol") == "tcp" and row.get("zone") != "local"


def _of(peer: peers.Peer, role: str) -> NodePorts:
    found = _told(peer, role)
    return found if found.problem else replace(found, unlisted=_unlisted(peer))


def _told(peer: peers.Peer, role: str) -> NodePorts:
    try:
        return NodePorts(peer.name, role, _asked(peer, "/ports"), "")
    except Problem as problem:
        rows = [{**row, "listening": None} for row in _deployed()] if peer.address is None else []
        return NodePorts(peer.name, role, rows, str(problem))


def _unlisted(peer: peers.Peer) -> list[dict[str, Any]] | None:
    try:
        return _asked(peer, "/listeners")
    except Problem:
        return None


def _asked(peer: peers.Peer, path: str) -> list[dict[str, Any]]:
    told = peers.call(peer, "GET", path)
    return peers.parsed(peer.name, lambda: _rows(told))


def _rows(told: object) -> list[dict[str, Any]]:
    if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
        raise TypeError("it is no list of rows")
    return told


def _deployed() -> list[dict[str, Any]]:
    try:
        return _rows(config.read_json(config.root() / "ports.json"))
    except (Problem, TypeError):
        return []
