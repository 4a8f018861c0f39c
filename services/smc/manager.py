"""The service manager: asks a node's agent for its services and tells it what to do with them."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import audit, nodes, peers
from services.smc.accounts import Account

VERBS = ("start", "stop", "restart")
STATES = ("Starting", "Running", "Stopping", "Stopped", "Unavailable")
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
TASK = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_LINES = 500


@dataclass(frozen=True)
class Service:
    """A service as its node sees it: state word, reason, since when (ISO time), CPU percent, memory bytes."""

    id: str
    code: str
    label: str
    purpose: str
    state: str
    reason: str
    since: str | None
    cpu: float
    memory: int
    fds: int
    restarts: int


@dataclass(frozen=True)
class Step:
    """What happened to one service within a task; `state` is the agent's word for it."""

    service: str
    state: str
    message: str


@dataclass(frozen=True)
class Task:
    """A started order: state is running, done or failed."""

    id: str
    state: str
    steps: list[Step]


def services(session: Session, node: str) -> list[Service]:
    """The services of a node, in its own order, asked now."""
    known = {one["id"]: one for one in config.load_catalog()}
    rows = _ask(session, node, "GET", "/services")
    return peers.parsed(node, lambda: [_service(row, known.get(row["id"], {})) for row in rows])


def act(session: Session, node: str, service: str, verb: str, account: Account) -> str:
    """Start, stop or restart one service or `all`; returns the task's id. Audited before it is sent."""
    account.need("services.control")
    if verb not in VERBS or not ID.fullmatch(service):
        raise Problem(
            "order-unknown", "This order is not known.", f"Orders are {', '.join(VERBS)}.",
            "Choose one of them.", status=404,
        )  # fmt: skip
    entry: dict[str, Any] = {"target": f"{node}/{service}", "actor": account.name, "source": account.source}
    # Before it is sent: a power cut must not hide an order that was carried out.
    audit.write(session, f"service.{verb}", **entry)
    try:
        answer = _ask(session, node, "POST", f"/services/{service}/{verb}", {"by": account.name})
    except Problem as problem:
        audit.write(session, f"service.{verb}", **entry, outcome="failed", details={"code": problem.code})
        raise
    return peers.parsed(node, lambda: str(answer["task"]))


def task(session: Session, node: str, id: str) -> Task:
    """How far an order to services is."""
    if not TASK.fullmatch(id):
        raise _no_task()
    answer = _ask(session, node, "GET", f"/tasks/{id}")
    return peers.parsed(
        node,
        lambda: Task(
            str(answer["id"]), str(answer["state"]),
            [Step(str(s["service"]), str(s["state"]), str(s.get("message", ""))) for s in answer["steps"]],
        ),
    )  # fmt: skip


def logs(session: Session, node: str, service: str, lines: int = 50) -> list[str]:
    """The last log lines of a service, oldest first; at most 500."""
    if not ID.fullmatch(service):
        raise Problem(
            "service-unknown", "There is no such service.", "The id is not one of the catalogue's.",
            "Look at the service manager.", status=404,
        )  # fmt: skip
    answer = _ask(session, node, "GET", f"/logs/{service}?lines={max(1, min(lines, MOST_LINES))}")
    return peers.parsed(node, lambda: [str(line) for line in answer["lines"]])


def address(session: Session, node: str) -> peers.Peer:
    """Where the agent of a node is asked; Problem 404 for a node that never joined."""
    if node == config.load_node().name:
        return peers.Peer(node, None)
    found = nodes.get(session, node)
    # No connection is held while a far node thinks.
    session.rollback()
    return peers.of(found)


def _ask(session: Session, node: str, method: str, path: str, data: object = None) -> Any:  # noqa: ANN401 - JSON
    return peers.call(address(session, node), method, path, data)


def _service(row: dict[str, Any], known: dict[str, Any]) -> Service:
    return Service(
        str(row["id"]), str(known.get("code", row["id"])), str(known.get("label", "")),
        str(known.get("purpose", "")),
        str(row["state"]), str(row.get("reason") or ""), row.get("since"), float(row.get("cpu") or 0),
        int(row.get("memory") or 0), int(row.get("fds") or 0), int(row.get("restarts") or 0),
    )  # fmt: skip


def _no_task() -> Problem:
    return Problem(
        "task-unknown", "There is no such task.", "The node has forgotten it, or the id is wrong.",
        "Look at the service manager for the present state.", status=404,
    )  # fmt: skip
