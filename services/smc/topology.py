"""The site as a graph: nodes, the links between them, and how many cameras each serves."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.runtime import clock, config
from services.smc import models, nodes


@dataclass(frozen=True)
class Vertex:
    """A node. `state`: waiting, enabled, disabled; `reach`: reachable, unreachable, unknown.

    `stale`: grey it. `cpu` in percent, memory in bytes, None while there is no beat; `services_bad` counts
    the Unavailable ones. `addresses` by purpose, {} where `address` serves everything.
    """

    id: str
    label: str
    role: str
    address: str
    mapping_ip: str | None
    version: str
    state: str
    reach: str
    stale: bool
    age: float | None
    cpu: float | None
    memory_total: int | None
    memory_available: int | None
    services: int
    services_bad: int
    cameras: int
    cameras_online: int
    addresses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """A link from a node to its centre; `state`: up, down, waiting, disabled or unknown."""

    source: str
    target: str
    kind: str
    state: str
    stale: bool


@dataclass(frozen=True)
class Graph:
    """Vertices, main first, and edges; `at` is when it was read."""

    site: str
    at: datetime
    vertices: list[Vertex]
    edges: list[Edge]


def graph(session: Session) -> Graph:
    """The site now; names are in the inventory's words."""
    own = config.load_node()
    cameras = _cameras(session)
    found = nodes.listing(session)
    vertices = [_vertex(node, *cameras.get(node.name, (0, 0))) for node in found]
    edges = [_edge(node, own.name) for node in found if node.name != own.name]
    return Graph(own.site, clock.now(), vertices, edges)


def _cameras(session: Session) -> dict[str, tuple[int, int]]:
    online = func.sum(models.DeviceState.state == "online")
    query = (
        select(models.Device.node, func.count(), online)
        .join(models.DeviceState, models.DeviceState.device_id == models.Device.id)
        .group_by(models.Device.node)
    )
    return {name: (int(total), int(up or 0)) for name, total, up in session.execute(query)}


def _vertex(node: nodes.Node, cameras: int, online: int) -> Vertex:
    memory = node.beat.get("memory") or {}
    services = node.beat.get("services") or []
    bad = sum(one.get("state") == "Unavailable" for one in services)
    return Vertex(
        node.name, node.name, node.role, node.address, node.mapping_ip, node.version, node.state, node.reach,
        node.stale, node.age, node.beat.get("cpu"), memory.get("total"), memory.get("available"),
        len(services), bad, cameras, online, node.addresses,
    )  # fmt: skip


def _edge(node: nodes.Node, center: str) -> Edge:
    reach = {"reachable": "up", "unreachable": "down"}.get(node.reach, "unknown")
    state = reach if node.state == "enabled" else node.state
    return Edge(node.name, center, "sub", state, node.stale)
