"""The service manager."""

from dataclasses import dataclass
from typing import Annotated

from services.smc import manager
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number
from services.smc.manager import Service, Task

AWAY = (502, 504)


@dataclass(frozen=True)
class LogQuery:
    """How many lines."""

    lines: Annotated[int, Number(1, manager.MOST_LINES)] = 50


@dataclass(frozen=True)
class Started:
    """The task that was started."""

    task: str


@dataclass(frozen=True)
class Lines:
    """Log lines, oldest first."""

    lines: list[str]


@operation("GET", "/nodes/<name>/services", answer=list[Service], permission="nodes.view", problems=AWAY)
def list_services(call: Call, name: str) -> list[Service]:
    """The services of a node."""
    return manager.services(call.session, name)


@operation("POST", "/nodes/<name>/services/<service>/<verb>", answer=Started, status=202,
           permission="services.control", problems=AWAY)  # fmt: skip
def act(call: Call, name: str, service: str, verb: str) -> Started:
    """Start, stop or restart one service or `all`."""
    return Started(manager.act(call.session, name, service, verb, call.account))


@operation("GET", "/nodes/<name>/tasks/<id>", answer=Task, permission="nodes.view", problems=AWAY)
def get_task(call: Call, name: str, id: str) -> Task:
    """How far a started task is."""
    return manager.task(call.session, name, id)


@operation("GET", "/nodes/<name>/logs/<service>", query=LogQuery, answer=Lines, permission="nodes.view",
           problems=AWAY)  # fmt: skip
def get_logs(call: Call, name: str, service: str) -> Lines:
    """The last log lines of a service."""
    return Lines(manager.logs(call.session, name, service, call.query.lines))
