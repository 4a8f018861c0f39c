"""The figures of the home page's tiles, added up from the nodes."""

from dataclasses import dataclass
from typing import Any

from services.smc.nodes import Node
from services.smc.topology import Graph


@dataclass(frozen=True)
class Peak:
    """The node that is worst off in something; None stands for "no node tells"."""

    node: str
    value: float


@dataclass(frozen=True)
class Totals:
    """Counts over the site; memory and disk in bytes, network in bits per second."""

    devices: int
    online: int
    nodes: int
    reachable: int
    waiting: int
    services: int
    not_running: int
    cpu: Peak | None
    memory: Peak | None
    disk: Peak | None
    rx: float | None
    tx: float | None


def totals(nodes: list[Node], graph: Graph) -> Totals:
    """Added up over enabled nodes; one that is not heard of is not reachable and gives no figures."""
    working = [node for node in nodes if node.state == "enabled"]
    told = [node for node in working if node.reach == "reachable" and node.beat]
    states = [one.get("state") for node in told for one in node.beat.get("services") or []]
    return Totals(
        devices=sum(v.cameras for v in graph.vertices),
        online=sum(v.cameras_online for v in graph.vertices),
        nodes=len(working),
        reachable=sum(node.reach == "reachable" for node in working),
        waiting=sum(node.state == "waiting" for node in nodes),
        services=len(states),
        not_running=sum(state != "Running" for state in states),
        cpu=_peak(told, lambda beat: beat["cpu"], max),
        memory=_peak(told, lambda beat: beat["memory"]["available"], min),
        disk=_peak(told, lambda beat: beat["disk"]["free"], min),
        rx=_sum(told, "rx_bps"),
        tx=_sum(told, "tx_bps"),
    )


def _peak(nodes: list[Node], read: Any, pick: Any) -> Peak | None:  # noqa: ANN401 - max and min, and a path into JSON
    found = []
    for node in nodes:
        try:
            found.append(Peak(node.name, float(read(node.beat))))
        except (KeyError, TypeError, ValueError):
            continue
    return pick(found, key=lambda peak: peak.value, default=None)  # type: ignore[no-any-return]


def _sum(nodes: list[Node], key: str) -> float | None:
    values = [(node.beat.get("network") or {}).get(key) for node in nodes]
    known = [float(value) for value in values if value is not None]
    return sum(known) if known else None
