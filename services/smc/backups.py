"""Backups of every node: what stands, how the last ones went, and one to be made now."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.runtime.errors import Problem
from services.smc import audit, everywhere, manager, peers
from services.smc.accounts import Account
from services.smc.nodes import Node
from services.smc.releases import moment, moment_or_none

PERMISSION = "nodes.manage"
LATE_PERIODS = 2


@dataclass(frozen=True)
class Run:
    """One run; `state`: running, done, failed; `bytes` is the size of `file`, `why` what went wrong."""

    id: str
    by: str
    began: datetime
    ended: datetime | None
    state: str
    file: str
    bytes: int
    why: str


@dataclass(frozen=True)
class Kept:
    """A backup on the node's disk."""

    file: str
    bytes: int
    at: datetime


@dataclass(frozen=True)
class NodeBackups:
    """One node. `configured`: the inventory wants backups; `scheduled`: their timer stands.

    `period`: seconds between two; `keep`: how many stay in `path`; `trouble`: what needs a person, or "".
    `problem` says why the rest is not known.
    """

    node: str
    role: str
    address: str
    configured: bool = False
    scheduled: bool = False
    next: datetime | None = None
    period: int = 0
    path: str = ""
    keep: int = 0
    runs: list[Run] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    trouble: str = ""
    problem: str = ""

    @property
    def running(self) -> Run | None:
        """The run that is going on."""
        return next((run for run in self.runs if run.state == "running"), None)


def listing(session: Session) -> list[NodeBackups]:
    """Backups of all nodes, main first, asked now."""
    return [
        one.value or NodeBackups(one.node.name, one.node.role, one.node.address, problem=str(one.problem))
        for one in everywhere.ask(session, "/backups", _read)
    ]


def make(session: Session, node: str, account: Account) -> str:
    """Order a backup of a node now; returns the run's id. Audited before it is sent."""
    account.need(PERMISSION)
    entry: dict[str, Any] = {"target": node, "actor": account.name, "source": account.source}
    audit.write(session, "backup.make", **entry)
    try:
        answer = peers.call(manager.address(session, node), "POST", "/backups", {"by": account.name})
    except Problem as problem:
        audit.write(session, "backup.make", outcome="failed", details={"code": problem.code}, **entry)
        raise
    return peers.parsed(node, lambda: str(answer["task"]))


def trouble(said: Mapping[str, Any] | None, now: float | None = None) -> str:
    """What is wrong with the backups of a node, from its beat's `backup`; "" if nothing is."""
    if not said or not said.get("configured"):
        return ""
    if said.get("failed"):
        return f"The last backup failed: {said['failed']}"
    if not said.get("scheduled"):
        return "Backups are wanted, but their timer does not stand."
    last, limit = said.get("good") or said.get("since"), LATE_PERIODS * float(said.get("period") or 0)
    if last and (now or time.time()) - float(last) > limit:
        return (
            "The last good backup is older than two periods."
            if said.get("good")
            else "No backup was made yet."
        )
    return ""


def _read(node: Node, said: Any) -> NodeBackups:  # noqa: ANN401 - JSON
    return NodeBackups(
        node.name, node.role, node.address, bool(said["path"]), bool(said["scheduled"]),
        next=moment_or_none(said["next"]), period=int(said["period"]), path=str(said["path"]),
        keep=int(said["keep"]), runs=[_run(row) for row in said["runs"]],
        kept=[Kept(str(one["file"]), int(one["bytes"]), moment(one["at"])) for one in said["kept"]],
        trouble=trouble(node.beat.get("backup")),
    )  # fmt: skip


def _run(row: dict[str, Any]) -> Run:
    return Run(
        str(row["id"]), str(row["by"]), moment(row["began"]), moment_or_none(row["ended"]), str(row["state"]),
        str(row["file"]), int(row["bytes"]), str(row["why"]),
    )  # fmt: skip
