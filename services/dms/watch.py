"""All devices of this node: one checker each, and a fact for every change."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from services.dms.checker import AT_ONCE, Checker, State
from services.dms.devices import Assignment, Device
from services.dms.refusals import Refusals
from services.runtime import clock
from services.runtime.bus import Bus
from services.runtime.errors import Problem
from services.runtime.message import fact_subject

LOG = logging.getLogger(__name__)

RESTART_SECONDS = 5.0


@dataclass
class Watch:
    """Keeps exactly one checker running for each assigned device record."""

    bus: Bus
    refusals: Refusals
    checkers: dict[str, Checker] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def assign(self, assignment: Assignment) -> None:
        """Follow a new assignment: devices that did not change are left alone."""
        wanted = {device.id: device for device in assignment.devices if device.channels}
        for id in list(self.checkers):
            if wanted.get(id) != self.checkers[id].device:
                self._stop(id)
        for id, device in wanted.items():
            if id not in self.checkers:
                self._start(device)

    def close(self) -> None:
        """Stop all checkers."""
        for id in list(self.checkers):
            self._stop(id)

    def state(self, device_id: str) -> str | None:
        """State of a device, None until it was checked."""
        checker = self.checkers.get(device_id)
        return checker.state.state if checker and checker.state else None

    def _start(self, device: Device) -> None:
        checker = Checker(device, self.refusals, self._report, self._gate)
        self.checkers[device.id] = checker
        self._tasks[device.id] = asyncio.create_task(_keep_running(checker))

    def _stop(self, id: str) -> None:
        self.checkers.pop(id)
        self._tasks.pop(id).cancel()

    def _report(self, device: Device, state: State) -> None:
        fact: dict[str, Any] = {
            "device": device.id,
            "state": state.state,
            "reason": state.reason,
            "at": clock.iso(clock.now()),
            "info": state.info,
        }
        self.bus.enqueue(fact_subject(self.bus.node.name, "dms", "device"), fact)


async def _keep_running(checker: Checker) -> None:
    while True:
        try:
            await checker.run()
        except Problem as problem:
            # The state was not reported, so the next check reports it.
            LOG.warning("%s", problem)
        except Exception:
            LOG.exception("checking device %s failed and is begun again", checker.device.id)
        await asyncio.sleep(RESTART_SECONDS)
