"""What the service manager shows: the catalogue's services joined with what the server says of them."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from portal.manager.numbers import port_numbers
from services.node.gate import NEEDED
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import manager
from services.smc.nodes import Node

# Stopped from here, these take the portal with them.
PORTAL_STANDS_ON = frozenset({"nginx", "mysql", "redis"})
PLANNED = "Planned"


@dataclass(frozen=True)
class Gate:
    """The memory gate's limits in bytes: below `basic` only basic video starts, below `none` nothing."""

    basic: int = NEEDED["full"]
    none: int = NEEDED["basic"]


@dataclass(frozen=True)
class Row:
    """One service of one server; numbers are None where it does not run. `port_numbers` as text."""

    id: str
    code: str
    label: str
    purpose: str
    state: str
    reason: str
    since: str | None
    cpu: float | None
    memory: int | None
    fds: int | None
    restarts: int | None
    port_numbers: str

    @property
    def carries_portal(self) -> bool:
        """Whether the portal goes away when it stops."""
        return self.id in PORTAL_STANDS_ON

    @property
    def withheld(self) -> bool:
        """Whether the memory gate keeps it from starting."""
        return self.state == "Stopped" and self.reason.startswith("Withheld")


@dataclass(frozen=True)
class Table:
    """All rows of a server; `problem` says why the states are those of its last beat, or missing."""

    rows: list[Row]
    problem: Problem | None

    @property
    def withheld(self) -> list[Row]:
        """What the memory gate withholds now."""
        return [row for row in self.rows if row.withheld]


def table(session: Session, node: Node) -> Table:
    """The services of `node`, asked now; one that does not report is shown by its last beat."""
    catalog = {one["id"]: one for one in config.load_catalog()}
    told, problem = _ask(session, node)
    numbers = port_numbers(session, node)
    found = [_told(one, catalog.get(one["id"], {}), numbers.get(one["id"], "")) for one in told]
    known = {row.id for row in found}
    planned = [one for one in catalog.values() if _is_planned(one, node) and one["id"] not in known]
    return Table(found + [_planned(one, numbers.get(one["id"], "")) for one in planned], problem)


def _ask(session: Session, node: Node) -> tuple[list[dict[str, Any]], Problem | None]:
    """What the server says now; with a problem, what its last beat said."""
    try:
        if node.reach == "unreachable":
            raise _silent(node)
        return [asdict(one) for one in manager.services(session, node.name)], None
    except Problem as problem:
        return list(node.beat.get("services") or []), problem


def _silent(node: Node) -> Problem:
    return Problem(
        "node-unreachable",
        f"{node.name} does not report.",
        "What you see is the last it said, if anything.",
        "See whether the server runs and its network is whole.",
        status=502,
    )


def _is_planned(one: dict[str, Any], node: Node) -> bool:
    role = "main" if node.role in {"main", "standby", "child"} else "sub"
    return one["status"] == "planned" and role in one["role"]


def _told(said: dict[str, Any], one: dict[str, Any], numbers: str) -> Row:
    runs = said["state"] not in {"Stopped", "Unavailable"} or bool(said.get("memory"))
    cpu, memory, fds = (said.get(key) if runs else None for key in ("cpu", "memory", "fds"))
    return Row(
        said["id"],
        one.get("code", said["id"]),
        one.get("label", ""),
        one.get("purpose", ""),
        said["state"],
        said.get("reason") or "",
        said.get("since"),
        cpu,
        memory,
        fds,
        said.get("restarts"),
        numbers,
    )


def _planned(one: dict[str, Any], numbers: str) -> Row:
    words = (one["id"], one["code"], one["label"], one["purpose"])
    return Row(*words, PLANNED, "", None, None, None, None, None, numbers)
