"""What was done on the nodes, by whom, when and how it went: services, changes, backups, releases.

Each node keeps its own; so the list outlives the portal, the cache and main itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import changes, everywhere, manager, peers
from services.smc.releases import moment, moment_or_none

Kind = Literal["service", "change", "backup", "release"]
State = Literal["running", "waiting", "done", "failed", "undone", "refused"]
VERBS = {"start": "Start", "stop": "Stop", "restart": "Restart"}
CHANGE_STATES = {"kept": "done", "waiting": "waiting", "refused": "refused", "undone": "undone",
                 "failed": "failed"}  # fmt: skip
OVER = {"done", "failed", "undone", "refused"}


@dataclass(frozen=True)
class LogLine:
    """One line of a task's log."""

    at: datetime
    text: str


@dataclass(frozen=True)
class TaskRecord:
    """One task; `by` is "" where nobody was named, `why` says what went wrong.

    A change `waiting` is undone unless it is kept.
    """

    kind: Kind
    id: str
    node: str
    title: str
    by: str
    state: State
    began: datetime
    ended: datetime | None
    why: str
    log: list[LogLine] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether more of it is to come."""
        return self.state not in OVER


@dataclass(frozen=True)
class History:
    """Tasks of all nodes, newest first; `problems` names the nodes that could not be asked, and why."""

    tasks: list[TaskRecord]
    problems: list[str]


def listing(session: Session) -> History:
    """All that the nodes remember, asked now."""
    answers = everywhere.ask(session, "/history", lambda node, told: _read(node.name, told))
    found = [task for answer in answers for task in answer.value or []]
    problems = [str(answer.problem) for answer in answers if answer.problem]
    return History(sorted(found, key=lambda one: one.began, reverse=True), problems)


def get(session: Session, node: str, kind: str, id: str) -> TaskRecord:
    """One task with its log; Problem 404 when its node has forgotten it."""
    told = peers.call(manager.address(session, node), "GET", "/history")
    known = peers.parsed(node, lambda: _read(node, told))
    found = next((one for one in known if (one.kind, one.id) == (kind, id)), None)
    if found is None:
        raise Problem(
            "task-unknown", "There is no such task.", "The node has forgotten it, or the id is wrong.",
            "Look at the list of tasks; the audit log has all orders.", status=404,
        )  # fmt: skip
    return found


def _read(node: str, told: Mapping[str, Any]) -> list[TaskRecord]:
    """The tasks in the answer of a node's agent."""
    # An order given to an earlier release of the agent has no time: it cannot be put into the list.
    return [read(node, row) for key, read in READERS.items() for row in told[key] if row["began"]]


def _service(node: str, row: dict[str, Any]) -> TaskRecord:
    codes = {one["id"]: one["code"] for one in config.load_catalog()}
    what = "all services" if row["service"] == "all" else codes.get(row["service"], row["service"])
    why = " ".join(f"{s['service']}: {s['message']}" for s in row["steps"] if s["state"] == "failed")
    return _record("service", node, row, f"{VERBS.get(row['verb'], row['verb'])} {what}", row["state"], why)


def _change(node: str, row: dict[str, Any]) -> TaskRecord:
    found = changes.read(node, row)
    state = CHANGE_STATES.get(found.state, "running")
    problem = found.problem or {}
    why = " ".join(str(problem.get(key, "")) for key in ("why", "remedy")).strip() if state != "done" else ""
    ended = found.log[-1].at if found.log and state in OVER else 0.0
    title = f"Change: {found.words or 'not understood'}"
    return _record("change", node, row | {"ended": ended}, title, state, why)


def _backup(node: str, row: dict[str, Any]) -> TaskRecord:
    return _record("backup", node, row, "Backup", row["state"], row["why"])


def _release(node: str, row: dict[str, Any]) -> TaskRecord:
    title = {
        "install": f"Install release {row['new']}",
        "upgrade": f"Upgrade from {row['old']} to {row['new']}",
    }.get(row["kind"], f"Roll back from {row['old']} to {row['new']}")
    return _record("release", node, row, title, row["state"], row["why"])


def _record(kind: Kind, node: str, row: dict[str, Any], title: str, state: Any, why: str) -> TaskRecord:  # noqa: ANN401
    log = [LogLine(moment(line["at"]), str(line["text"])) for line in row["log"]]
    began, ended = moment(row["began"]), moment_or_none(row["ended"])
    return TaskRecord(kind, str(row["id"]), node, title, str(row["by"]), state, began, ended, why, log)


READERS: dict[str, Callable[[str, dict[str, Any]], TaskRecord]] = {
    "services": _service, "changes": _change, "backups": _backup, "releases": _release,
}  # fmt: skip
