"""Start, stop and restart of this node's services, in order, with progress for each."""

import asyncio
import json
import logging
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from dbus_fast.errors import DBusError

from services.node import files
from services.runtime.errors import Problem
from services.smc.agent import states
from services.smc.agent.entries import Entry
from services.smc.agent.monitor import Monitor
from services.smc.agent.systemd import VERBS, own_unit

LOG = logging.getLogger(__name__)

KEPT = 20
SETTLE_SECONDS = 30.0
POLL = 0.1
DOING = {"start": "starting", "stop": "stopping", "restart": "restarting"}


@dataclass
class Step:
    """One service of a task: waiting, running, done or failed."""

    service: str
    state: str = "waiting"
    message: str = ""


@dataclass
class Task:
    """One order for one or all services: running, done or failed.

    `service` is what was ordered, an id or `all`; `by` who did. Times are seconds since 1970, `ended` 0
    while it runs; `log` has {"at", "text"}.
    """

    id: str
    verb: str
    steps: list[Step]
    state: str = "running"
    service: str = ""
    by: str = ""
    began: float = 0.0
    ended: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """One more line of the log."""
        self.log.append({"at": time.time(), "text": text})

    def end(self) -> None:
        """All steps are over."""
        self.state = "failed" if any(step.state == "failed" for step in self.steps) else "done"
        self.ended = time.time()
        self.say("All is done." if self.state == "done" else "Not all of it worked.")


@dataclass
class Tasks:
    """Carries out one task at a time and remembers the last 20, also over the agent's own restart."""

    monitor: Monitor
    memory: Path
    tasks: dict[str, Task] = field(default_factory=dict)
    _work: asyncio.Task[None] | None = None

    def recall(self) -> None:
        """Read the tasks of the last run; one that was running ended with the agent's restart."""
        try:
            rows = json.loads(self.memory.read_text())
            self.tasks = {row["id"]: _task(row) for row in rows}
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, OSError) as error:
            LOG.warning("earlier tasks are forgotten: %s", error)
        for task in self.tasks.values():
            if task.state == "running":
                _conclude_after_restart(task)

    def order(self, service: str, verb: str, by: str = "") -> Task:
        """Accept an order for a service id or `all` and begin with it; Problem if it cannot be given now."""
        if verb not in VERBS:
            raise _unknown(f"verb {verb!r}", "start, stop or restart")
        if self._work is not None and not self._work.done():
            raise _busy()
        entries = self._chosen(service, verb)
        task = Task(uuid4().hex, verb, [Step(entry.id) for entry in entries], service=service, by=by)
        task.began = time.time()
        while len(self.tasks) >= KEPT:
            del self.tasks[next(iter(self.tasks))]
        self.tasks[task.id] = task
        self._work = asyncio.create_task(self._run(task, entries))
        return task

    def listing(self) -> list[Task]:
        """All that are remembered, newest first."""
        return list(reversed(self.tasks.values()))

    def get(self, id: str) -> Task:
        """A task by its id; Problem 404 if it is not known (any more)."""
        if id not in self.tasks:
            raise _unknown(f"task {id!r}", "the id given when the order was accepted")
        return self.tasks[id]

    def _chosen(self, service: str, verb: str) -> list[Entry]:
        everything = self.monitor.entries
        if service == "all":
            return _all(everything, verb)
        chosen = [entry for entry in everything if entry.id == service]
        if not chosen:
            raise _unknown(f"service {service!r} on this node", ", ".join(e.id for e in everything))
        if service == "smc" and verb == "stop":
            raise _last_hand()
        return chosen

    async def _run(self, task: Task, entries: list[Entry]) -> None:
        for step, entry in zip(task.steps, entries, strict=True):
            step.state, step.message = "running", f"{DOING[task.verb]} …"
            task.say(f"{entry.id}: {step.message}")
            self._remember()
            try:
                step.message = await self._carry_out(task.verb, entry)
                step.state = "done"
            except (Problem, DBusError, OSError, TimeoutError) as error:
                step.state, step.message = "failed", str(error) or type(error).__name__
            task.say(f"{entry.id}: {step.message}")
        task.end()
        self._remember()

    async def _carry_out(self, verb: str, entry: Entry) -> str:
        systemd = self.monitor.systemd
        if systemd is None:
            raise OSError("systemd does not answer")
        own = own_unit()
        # Our own unit comes last: what follows its restart is told by the next run.
        for unit in sorted(entry.units, key=lambda name: name == own):
            if unit == own and verb == "restart":
                await systemd.request(verb, unit)
            elif unit != own or verb != "stop":
                result = await systemd.act(verb, unit)
                if result not in {"done", "skipped"}:
                    raise OSError(f"{unit}: the {verb} job ended as {result}")
        return await self._settled(entry, states.STOPPED if verb == "stop" else states.RUNNING)

    async def _settled(self, entry: Entry, wanted: str) -> str:
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        await asyncio.sleep(POLL)
        while True:
            condition = self.monitor.rows[entry.id].condition
            if condition.state == wanted:
                return condition.state
            withheld = condition.state == states.STOPPED and condition.reason
            if withheld or asyncio.get_running_loop().time() > deadline:
                raise OSError(f"It is {condition.state}. {condition.reason}".strip())
            await asyncio.sleep(POLL)

    def _remember(self) -> None:
        try:
            text = json.dumps([asdict(task) for task in self.tasks.values()])
            files.write(self.memory, text.encode(), 0o600)
        except OSError as error:
            LOG.warning("tasks cannot be kept over a restart: %s", error)


def _all(entries: list[Entry], verb: str) -> list[Entry]:
    """Stopping all leaves what carries the portal, so that services can be started again from it."""
    if verb == "stop":
        return [entry for entry in reversed(entries) if not entry.core]
    return [e for e in entries if e.id != "smc"] + [e for e in entries if e.id == "smc"]


def _task(row: dict[str, Any]) -> Task:
    return Task(**row | {"steps": [Step(**step) for step in row["steps"]]})


def _conclude_after_restart(task: Task) -> None:
    for step in task.steps:
        if step.state == "running" and step.service == "smc":
            step.state, step.message = "done", states.RUNNING
        elif step.state in {"running", "waiting"}:
            step.state, step.message = "failed", "The node agent was restarted before this was done."
        else:
            continue
        task.say(f"{step.service}: {step.message}")
    task.end()


def _unknown(what: str, known: str) -> Problem:
    return Problem("unknown", f"There is no {what}.", "", f"Known: {known}.", status=404)


def _busy() -> Problem:
    return Problem(
        "task-running",
        "The order was not accepted.",
        "Another order is being carried out on this node.",
        "Wait until it is done, then try again.",
        status=409,
    )


def _last_hand() -> Problem:
    return Problem(
        "agent-stays",
        "DSS_SMC cannot be stopped from here.",
        "It carries this page and the node agent; nothing could start it again from here.",
        "Restart it, or log in to the node and use `dss stop smc`.",
        status=409,
    )
