"""This node's systemd over D-Bus (org.freedesktop.systemd1(5)): states, changes, start and stop."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from services.runtime.errors import Problem
from services.smc.agent.states import Unit

NAME, ROOT = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
MANAGER, UNIT, SERVICE = f"{NAME}.Manager", f"{NAME}.Unit", f"{NAME}.Service"
TIMER = f"{NAME}.Timer"
PROPERTIES = "org.freedesktop.DBus.Properties"
CALL_SECONDS, JOB_SECONDS = 5.0, 100.0
VERBS = {"start": "StartUnit", "stop": "StopUnit", "restart": "RestartUnit"}
JOBS_KEPT = 64


class Systemd:
    """One connection to systemd for a fixed set of units; make a new one when it is lost.

    `changed` is called with no argument whenever one of the units changed.
    """

    def __init__(self, names: list[str], changed: Callable[[], None]) -> None:
        self.names = names
        self.changed = changed
        self._bus = MessageBus(bus_type=BusType.SYSTEM)
        self._paths: dict[str, str] = {}
        self._jobs: dict[str, asyncio.Future[str]] = {}
        self._lost: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect and subscribe; raises OSError or DBusError when systemd cannot be asked."""
        # dbus-fast gives up a connection attempt only when the socket is closed.
        async with asyncio.timeout(CALL_SECONDS):
            await self._bus.connect()
        self._bus.add_message_handler(self._receive)
        self._lost = asyncio.create_task(self._bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        self._lost.add_done_callback(self._on_lost)
        for rule in (
            f"type='signal',sender='{NAME}',interface='{PROPERTIES}',path_namespace='{ROOT}/unit'",
            f"type='signal',sender='{NAME}',interface='{MANAGER}',member='JobRemoved'",
        ):
            await self._call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                             "AddMatch", "s", [rule])  # fmt: skip
        await self._manager("Subscribe")
        for name in self.names:
            (path,) = await self._manager("LoadUnit", "s", [name])
            self._paths[name] = path

    def close(self) -> None:
        """Leave; harmless when never connected."""
        if self._lost is not None:
            self._lost.cancel()
        self._bus.disconnect()

    async def read(self, name: str) -> Unit:
        """The unit as it is now."""
        path = self._paths[name]
        unit = await self._properties(path, UNIT)
        service = await self._properties(path, SERVICE)
        return Unit(
            name=name,
            load=unit["LoadState"],
            active=unit["ActiveState"],
            sub=unit["SubState"],
            since=unit["StateChangeTimestamp"] / 1e6,
            result=service.get("Result", "success"),
            pid=service.get("MainPID", 0),
            restarts=service.get("NRestarts", 0),
        )

    async def look(self, name: str, interface: str) -> dict[str, Any]:
        """Properties of any unit, beyond those that are followed."""
        (path,) = await self._manager("LoadUnit", "s", [name])
        return await self._properties(path, interface)

    async def act(self, verb: str, name: str) -> str:
        """start, stop or restart a unit and wait for the job; its result, `done` if it went well."""
        if verb != "stop":
            await self._forget_failure(name)
        (job,) = await self._manager(VERBS[verb], "ss", [name, "replace"])
        try:
            async with asyncio.timeout(JOB_SECONDS):
                return await self._job(job)
        except TimeoutError:
            return "timeout"
        finally:
            self._jobs.pop(job, None)

    async def request(self, verb: str, name: str) -> None:
        """start, stop or restart a unit without waiting: for the agent's own unit."""
        await self._manager(VERBS[verb], "ss", [name, "replace"])

    def _on_lost(self, task: asyncio.Task[None]) -> None:
        # The next question then fails, and with it the connection is given up.
        if not task.cancelled():
            task.exception()
            self.changed()

    async def _forget_failure(self, name: str) -> None:
        try:
            await self._manager("ResetFailedUnit", "s", [name])
        except DBusError:
            return  # A unit that is not loaded has no failure to forget.

    def _job(self, path: str) -> asyncio.Future[str]:
        while len(self._jobs) > JOBS_KEPT:
            del self._jobs[next(iter(self._jobs))]
        return self._jobs.setdefault(path, asyncio.get_running_loop().create_future())

    def _receive(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "JobRemoved" and message.interface == MANAGER:
            self._finish(*message.body)
        elif message.member == "PropertiesChanged" and message.path in self._paths.values():
            self.changed()

    def _finish(self, _number: int, path: str, unit: str, result: str) -> None:
        # The signal may come before the answer to the call that made the job.
        job = self._job(path)
        if unit in self._paths and not job.done():
            job.set_result(result)
            self.changed()

    async def _properties(self, path: str, interface: str) -> dict[str, Any]:
        (values,) = await self._call(NAME, path, PROPERTIES, "GetAll", "s", [interface])
        return {key: variant.value for key, variant in values.items()}

    async def _manager(self, member: str, signature: str = "", body: list[Any] | None = None) -> list[Any]:
        return await self._call(NAME, ROOT, MANAGER, member, signature, body or [])

    async def _call(
        self, name: str, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> list[Any]:
        message = Message(
            destination=name, path=path, interface=interface, member=member, signature=signature, body=body
        )
        async with asyncio.timeout(CALL_SECONDS):
            reply = await self._bus.call(message)
        if reply is None or reply.message_type is MessageType.ERROR:
            raise DBusError(
                (reply and reply.error_name) or "no-reply", str(reply.body[0]) if reply and reply.body else ""
            )
        return list(reply.body)


def own_unit() -> str:
    """The unit this process runs in."""
    return os.environ.get("DSS_UNIT", "dss-smc.service")


def refused(verb: str, name: str, error: Exception) -> Problem:
    """systemd did not accept a verb."""
    return Problem(
        "systemd-refused",
        f"{name} could not be told to {verb}.",
        f"systemd answered: {error}.",
        "Look at the log of the service; on the node, `systemctl status` shows more.",
        status=502,
    )
