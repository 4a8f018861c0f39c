"""The port matrix as it is: what was deployed on each node, and whether it listens."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import models, nodes, peers, reach

AT_ONCE = 8
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
    rows = session.scalars(select(models.Node).order_by(models.Node.name)).all()
    known = [(row.name, row.role, row.address) for row in rows if row.name != own.name]
    session.rollback()
    wanted = [(peers.Peer(own.name, None), own.role)]
    wanted += [(peers.Peer(name, address, nodes.https_port(name)), role) for name, role, address in known]
    with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as pool:
        return list(pool.map(lambda one: _of(*one), wanted))


def of_node(session: Session, name: str) -> NodePorts:
    """Rows of one node, as `matrix` has them; Problem 404 for a node that never joined."""
    own = config.load_node()
    if name == own.name:
        return _of(peers.Peer(own.name, None), own.role)
    node = nodes.get(session, name)
    session.rollback()
    return _of(peers.Peer(name, node.address, node.beat.get("https_port")), node.role)


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


def tried(session: Session) -> list[Reached]:
    """Every TCP listener that other hosts may reach, tried from main now; it takes some seconds."""
    addresses = {one.name: one.address for one in nodes.listing(session)}
    found = [(one.node, row) for one in matrix(session) for row in one.rows if _far(row)]
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
    try:
        rows = _checked(peers.call(peer, "GET", "/ports"))
        return NodePorts(peer.name, role, rows, "", _unlisted(peer))
    except Problem as problem:
        rows = [{**row, "listening": None} for row in _deployed()] if peer.address is None else []
        return NodePorts(peer.name, role, rows, str(problem))


def _unlisted(peer: peers.Peer) -> list[dict[str, Any]] | None:
    try:
        return _checked(peers.call(peer, "GET", "/listeners"))
    except Problem:
        return None


def _checked(rows: object) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem(
            "node-garbled", "The answer cannot be read.", "It is no list of rows.", "Update the node."
        )
    return rows


def _deployed() -> list[dict[str, Any]]:
    try:
        return _checked(config.read_json(config.root() / "ports.json"))
    except Problem:
        return []
