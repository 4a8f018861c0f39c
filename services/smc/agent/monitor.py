"""What the service manager shows of this node: each service's state, reason and figures, always current."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dbus_fast.errors import DBusError

from services.node.units import withheld
from services.runtime import clock
from services.smc.agent import states
from services.smc.agent.entries import Entry
from services.smc.agent.figures import Meter, Usage
from services.smc.agent.probes import Prober
from services.smc.agent.states import Condition, Unit
from services.smc.agent.systemd import Systemd

LOG = logging.getLogger(__name__)

PERIOD = 1.0
REREAD = 10.0
UNREADABLE = Condition(states.UNAVAILABLE, "Its state cannot be read: systemd does not answer")


@dataclass(frozen=True)
class Row:
    """One service as in a beat."""

    id: str
    condition: Condition
    since: datetime | None
    usage: Usage
    restarts: int

    def as_dict(self) -> dict[str, Any]:
        """The beat's form (docs/design/interfaces.md §4)."""
        return {
            "id": self.id,
            "state": self.condition.state,
            "reason": self.condition.reason,
            "since": clock.iso(self.since) if self.since else None,
            "cpu": self.usage.cpu,
            "memory": self.usage.memory,
            "fds": self.usage.fds,
            "restarts": self.restarts,
        }


@dataclass
class Monitor:
    """Keeps one row per service; `changed` is called when any state or reason changed."""

    entries: list[Entry]
    prober: Prober
    meter: Meter
    changed: Callable[[], None] = lambda: None
    rows: dict[str, Row] = field(default_factory=dict)
    systemd: Systemd | None = None
    _units: dict[str, Unit] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _usage: dict[str, Usage] = field(default_factory=dict)

    async def watch(self) -> None:
        """Follow systemd for ever; while it does not answer, every service is Unavailable and says so."""
        told = ""
        while True:
            try:
                await self._follow()
            except (DBusError, OSError, EOFError, TimeoutError) as error:
                if told != (told := f"{type(error).__name__} {error}"):
                    LOG.warning("systemd does not answer: %s", told)
            self._units.clear()
            self.judge()
            await asyncio.sleep(PERIOD)

    async def _follow(self) -> None:
        names = [unit for entry in self.entries for unit in entry.units]
        self.systemd = Systemd(names, self._wake.set)
        try:
            await self.systemd.connect()
            while True:
                await self._read(names)
                await self._until_changed()
        finally:
            self.systemd.close()
            self.systemd = None

    async def turn(self, verb: str, unit: str) -> None:
        """start, stop or restart a unit and wait; OSError when that did not go well."""
        if self.systemd is None:
            raise OSError("systemd does not answer")
        try:
            result = await self.systemd.act(verb, unit)
        except DBusError as error:
            raise OSError(f"systemd refused to {verb} {unit}: {error}") from error
        if result != "done":
            raise OSError(f"{verb} of {unit} ended with {result}")

    async def tick(self) -> None:
        """Ask the health of what is active, measure, and judge anew; once a second, for ever."""
        while True:
            for unit in list(self._units.values()):
                self._check(unit)
            pids = {e.id: [self._units[u].pid for u in e.units if u in self._units] for e in self.entries}
            self._usage = self.meter.services(pids)
            self.judge()
            await asyncio.sleep(PERIOD)

    def judge(self) -> None:
        """Compute all rows; tell if a state or a reason changed."""
        before = {id: row.condition for id, row in self.rows.items()}
        self.rows = {entry.id: self._row(entry) for entry in self.entries}
        after = {id: row.condition for id, row in self.rows.items()}
        if after != before:
            for id, condition in after.items():
                if before.get(id) != condition:
                    LOG.info("%s is %s %s", id, condition.state, condition.reason)
            self.changed()

    def as_list(self) -> list[dict[str, Any]]:
        """All rows as in a beat."""
        return [row.as_dict() for row in self.rows.values()]

    async def _read(self, names: list[str]) -> None:
        assert self.systemd is not None
        self._wake.clear()
        for name in names:
            unit, before = await self.systemd.read(name), self._units.get(name)
            self._units[name] = unit
            if before is None or unit.pid != before.pid:
                # Another process: what was known of the old one's health says nothing.
                self.prober.forget(name)
                self._check(unit)
        self.judge()

    async def _until_changed(self) -> None:
        # Signals carry every change; reading again now and then covers a lost one.
        try:
            await asyncio.wait_for(self._wake.wait(), REREAD)
        except TimeoutError:
            return

    def _check(self, unit: Unit) -> None:
        if unit.active in {"active", "reloading"}:
            self.prober.ask(unit.name)
        else:
            self.prober.forget(unit.name)

    def _row(self, entry: Entry) -> Row:
        known = [self._units[name] for name in entry.units if name in self._units]
        complete = len(known) == len(entry.units)
        condition = states.worst([self._condition(unit) for unit in known]) if complete else UNREADABLE
        old = self.rows.get(entry.id)
        return Row(
            entry.id,
            condition,
            self._since(known, condition, old),
            self._usage.get(entry.id, Usage()),
            sum(unit.restarts for unit in known),
        )

    def _condition(self, unit: Unit) -> Condition:
        problem, alarm = self.prober.problem(unit.name), self.prober.alarm(unit.name)
        return states.of_unit(unit, _withheld(unit.name), problem, alarm)

    def _since(self, known: list[Unit], condition: Condition, old: Row | None) -> datetime | None:
        if old is not None and old.condition.state == condition.state:
            return old.since
        if old is not None:
            return clock.now()
        newest = max((unit.since for unit in known), default=0.0)
        return datetime.fromtimestamp(newest, UTC) if newest else None


def _withheld(unit: str) -> str:
    try:
        return withheld(unit)
    except (OSError, ValueError) as error:
        # A reason that cannot be read must not hide the states of all services.
        LOG.debug("the memory gate's reason for %s cannot be read: %s", unit, error)
        return ""
