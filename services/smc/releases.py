"""The releases of every node, as the nodes themselves know them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from services.smc import everywhere
from services.smc.nodes import Node


@dataclass(frozen=True)
class Release:
    """A release on a node: date of its build ("" not known), what it takes on the disk in bytes.

    `previous`: it ran before the one that runs; `returnable`: the node kept all that going back needs.
    """

    version: str
    date: str
    active: bool
    previous: bool
    returnable: bool
    bytes: int


@dataclass(frozen=True)
class Switch:
    """A change of the release; `kind`: install, upgrade, rollback; `state`: running, done, undone.

    `by` ran the playbook, "" where that was not told; `old` is "" for an installation.
    """

    id: str
    kind: str
    old: str
    new: str
    by: str
    began: datetime
    ended: datetime | None
    state: str
    why: str


@dataclass(frozen=True)
class NodeReleases:
    """What one node has; `problem` says why that is not known."""

    node: str
    role: str
    releases: list[Release] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    problem: str = ""

    @property
    def active(self) -> Release | None:
        """The release that runs."""
        return next((one for one in self.releases if one.active), None)


def listing(session: Session) -> list[NodeReleases]:
    """Releases of all nodes, main first, asked now."""
    return [
        one.value or NodeReleases(one.node.name, one.node.role, problem=str(one.problem))
        for one in everywhere.ask(session, "/releases", _read)
    ]


def _read(node: Node, said: Any) -> NodeReleases:  # noqa: ANN401 - JSON
    releases = [Release(**one) for one in said["releases"]]
    return NodeReleases(node.name, node.role, releases, [_switch(one) for one in said["switches"]])


def _switch(row: dict[str, Any]) -> Switch:
    plain = {key: str(row[key]) for key in ("id", "kind", "old", "new", "by", "state", "why")}
    return Switch(**plain, began=moment(row["began"]), ended=moment_or_none(row["ended"]))


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(float(seconds), UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    """The same; None for 0 and for None."""
    return moment(seconds) if seconds else None
