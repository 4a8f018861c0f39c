"""Backups of this node: what root noted of them, what systemd says, and the order to make one now."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aiohttp import web
from dbus_fast.errors import DBusError

from services.node import backup_record, files
from services.node.backup_record import TIMER, UNIT, Run
from services.runtime import config
from services.runtime.errors import Problem
from services.smc.agent import states, systemd
from services.smc.agent.center import only_main, requester
from services.smc.agent.monitor import Monitor

ASK_EACH, BEGIN_SECONDS, POLL = 5.0, 2.5, 0.1
MOST_WORDS = 300
AT_WORK = {"activating", "active", "deactivating"}


class Backups:
    """Routes of interfaces.md §5, and the beat's word about backups."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.told: dict[str, Any] = {}

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [
            web.get("/backups", self.show),
            web.post("/backups", self.make),
            web.get("/backups/{id}", self.one),
        ]

    async def show(self, _: web.Request) -> web.Response:
        """Schedule, last runs and kept files."""
        return web.json_response(await self.state())

    async def one(self, request: web.Request) -> web.Response:
        """One run with its log."""
        found = next((r for r in (await self.state())["runs"] if r["id"] == request.match_info["id"]), None)
        if found is None:
            raise Problem("task-unknown", "There is no such backup run.", "The node has forgotten it.",
                          "Look at the list of backups.", status=404)  # fmt: skip
        return web.json_response(found)

    async def make(self, request: web.Request) -> web.Response:
        """202 and the id of the run that has begun."""
        only_main(request)
        by = requester(await request.text())
        if not settings():
            raise Problem("no-backups", "No backup was begun.",
                          "This node makes no backups: the inventory has no dss_backup_key.",
                          "Make a key with `./dss backup key`, write its public half into the inventory, "
                          "run site.yml.", status=409)  # fmt: skip
        before = await self._unit()
        if before["ActiveState"] in AT_WORK:
            raise Problem("backup-busy", "No further backup was begun.",
                          "Another one is being made on this node.",
                          "Wait until it is done, then look at its result.", status=409)  # fmt: skip
        files.write(config.state_dir() / backup_record.ASKED.name, by, 0o600)
        return web.json_response({"task": await self._begin(invocation(before))}, status=202)

    async def _begin(self, before: str) -> str:
        try:
            await self._systemd().request("start", UNIT)
            async with asyncio.timeout(BEGIN_SECONDS):
                while (now := invocation(await self._unit())) in ("", before):
                    await asyncio.sleep(POLL)
        except (DBusError, OSError, TimeoutError) as error:
            raise systemd.refused("start", UNIT, error) from error
        return now

    async def state(self) -> dict[str, Any]:
        """`scheduled`, `next` (epoch seconds or null), `period`, `path`, `keep`, `since`, `runs`, `kept`."""
        wish, record = settings(), backup_record.load()
        unit, timer = await self._asked() if wish else ({}, {})
        runs = concluded(record.runs, unit)
        return {
            "scheduled": timer.get("ActiveState") == "active",
            "next": timer.get("NextElapseUSecRealtime", 0) / 1e6 or None,
            "period": backup_record.PERIOD,
            "path": wish.get("path", ""),
            "keep": wish.get("keep", 0),
            "since": _modified(settings_path()) if wish else None,
            "runs": [asdict(run) for run in runs],
            "kept": [asdict(one) for one in record.kept],
        }

    async def watch(self) -> None:
        """Keep what the beat says; it is small and asks nobody."""
        while True:
            self.told = summary(await self.state())
            await asyncio.sleep(ASK_EACH)

    async def _asked(self) -> tuple[dict[str, Any], dict[str, Any]]:
        with suppress(Problem, DBusError, OSError, TimeoutError):
            bus = self._systemd()
            timer = await bus.look(TIMER, systemd.UNIT) | await bus.look(TIMER, systemd.TIMER)
            return await self._unit(), timer
        return {}, {}

    async def _unit(self) -> dict[str, Any]:
        bus = self._systemd()
        return await bus.look(UNIT, systemd.UNIT) | await bus.look(UNIT, systemd.SERVICE)

    def _systemd(self) -> systemd.Systemd:
        if self.monitor.systemd is None:
            raise Problem("systemd-away", "Backups cannot be looked after now.", "systemd does not answer.",
                          "Look at the log of DSS_SMC.", status=502)  # fmt: skip
        return self.monitor.systemd


def settings_path() -> Path:
    """Where the deployment writes whether and where backups are made."""
    return config.root() / "backup.json"


def settings() -> dict[str, Any]:
    """Path and number of backups to keep; empty where the inventory wants none."""
    nothing: dict[str, Any] = {}
    return files.read_json(settings_path(), nothing)


def invocation(unit: Mapping[str, Any]) -> str:
    """systemd's id of a unit's last run; "" before its first."""
    return bytes(unit.get("InvocationID", b"")).hex()


def concluded(runs: list[Run], unit: Mapping[str, Any]) -> list[Run]:
    """Runs as they are: one that was cut off is over; one that has not noted itself (yet) is there."""
    found = [_cut_off(r) if r.state == "running" and not backup_record.at_work() else r for r in runs]
    last = invocation(unit)
    if not last or last in {run.id for run in runs}:
        return found
    if unit["ActiveState"] in AT_WORK:
        return [
            Run(last, "", _began(unit), log=[{"at": _began(unit), "text": "It is being started."}]),
            *found,
        ]
    return [_unnoted(last, unit), *found] if unit.get("Result", "success") != "success" else found


def _cut_off(run: Run) -> Run:
    end = run.log[-1]["at"] if run.log else run.began
    return replace(run, state="failed", ended=end, why="It was cut off before it was done.")


def _unnoted(id: str, unit: Mapping[str, Any]) -> Run:
    why = states.RESULTS.get(unit["Result"], f"it failed ({unit['Result']})")
    at = _began(unit)
    return Run(id, "", at, at, "failed", why=f"{UNIT}: {why}. See `journalctl -u {UNIT}` on the server.")


def _began(unit: Mapping[str, Any]) -> float:
    return float(unit.get("InactiveExitTimestamp", 0) or unit.get("StateChangeTimestamp", 0)) / 1e6


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def summary(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a beat says: whether there is a schedule, how the last run ended, when one last went well."""
    if not state["path"]:
        return {"configured": False}
    over = [run for run in state["runs"] if run["state"] != "running"]
    good = next((run["ended"] for run in over if run["state"] == "done"), None)
    return {
        "configured": True,
        "scheduled": state["scheduled"],
        "period": state["period"],
        "since": state["since"],
        "good": good,
        "failed": over[0]["why"][:MOST_WORDS] if over and over[0]["state"] == "failed" else "",
    }
