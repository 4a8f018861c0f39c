"""What a node's agent says of its backups, releases, orders and listeners, in the agent's own JSON."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from services.node.backup_record import PERIOD, Kept, Run
from services.node.release_record import Switch
from services.smc.agent.tasks import Step, Task

MB, HOUR = 1024**2, 3600.0


@dataclass
class Upkeep:
    """State of one node; `configured`: its inventory has a backup key."""

    configured: bool = False
    runs: list[Run] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    orders: list[Task] = field(default_factory=list)
    listeners: list[dict[str, Any]] = field(default_factory=list)

    def backups(self) -> dict[str, Any]:
        """The answer to GET /backups."""
        return {
            "scheduled": self.configured, "next": time.time() + 9 * HOUR if self.configured else None,
            "period": PERIOD, "path": "/var/backups/dss" if self.configured else "", "keep": 7,
            "since": time.time() - 40 * 24 * HOUR, "runs": [asdict(run) for run in self.runs],
            "kept": [asdict(one) for one in self.kept],
        }  # fmt: skip

    def history(self) -> dict[str, Any]:
        """The answer to GET /history, but for the changes."""
        return {
            "services": [asdict(one) for one in self.orders],
            "backups": [asdict(one) for one in self.runs],
            "releases": [asdict(one) for one in self.switches],
        }

    def make(self, by: str) -> tuple[int, Any]:
        """A backup begins; nothing ends it here."""
        if not self.configured:
            return 409, {"code": "no-backups", "what": "No backup was begun.",
                         "why": "The inventory has no dss_backup_key.", "remedy": "Make a key."}  # fmt: skip
        run = Run(f"{len(self.runs):032x}", by, time.time())
        run.log.append({"at": time.time(), "text": f"Begun for {by}."})
        self.runs.insert(0, run)
        return 202, {"task": run.id}

    def answer(self, method: str, parts: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        """Status and body of one request to the parts that this holds."""
        if parts == ["backups"]:
            return self.make(str(body["by"])) if method == "POST" else (200, self.backups())
        if parts == ["releases"]:
            switches = [asdict(one) for one in self.switches]
            return 200, {"releases": self.releases, "switches": switches}
        return 200, self.listeners


def log(at: float, *texts: str) -> list[dict[str, Any]]:
    """Lines of a log, one second apart."""
    return [{"at": at + index, "text": text} for index, text in enumerate(texts)]


def release(version: str, date: str, state: str = "") -> dict[str, Any]:
    """A release on a node; `state` is active, previous or nothing."""
    return {"version": version, "date": date, "active": state == "active", "previous": state == "previous",
            "returnable": state != "active", "bytes": 214 * MB}  # fmt: skip


def busy(name: str) -> Upkeep:
    """A node with good backups, an upgrade, and an order to one service."""
    now = time.time()
    at = now - 7 * HOUR
    file = f"{name}_20261122T020312Z_1.2.3.dssbackup"
    good = Run("a" * 32, "the schedule", at, at + 4, "done", file, 3 * MB,
               log=log(at, "Begun for the schedule.", "The database is dumped: 912340 bytes.",
                       "The sealed archive is written, 3145728 bytes. It is read back.",
                       f"{file} is in its place.", "It is complete."))  # fmt: skip
    up = now - 9 * 24 * HOUR
    switch = Switch("b" * 32, "upgrade", "1.1.0", "1.2.3", "petra", up, up + 51, "done",
                    log=log(up, "Programs and files are put in place.",
                            "The services start, and the node is checked.",
                            "The node runs 1.2.3 and is well."))  # fmt: skip
    hour = now - HOUR
    steps = [Step("mts", "done", "Running")]
    order = Task("c" * 32, "restart", steps, "done", "mts", "admin", hour, hour + 3,
                 log(hour, "mts: restarting \u2026", "mts: Running", "All is done."))  # fmt: skip
    return Upkeep(
        True, [good], [Kept(file, 3 * MB, at + 4)],
        [release("1.1.0", "2026-09-30", "previous"), release("1.2.3", "2026-11-13", "active")],
        [switch], [order],
    )  # fmt: skip


def empty() -> Upkeep:
    """A node without backups whose release was installed once; somebody's own program listens there."""
    at = time.time() - 30 * 24 * HOUR
    first = Switch("d" * 32, "install", "", "1.2.3", "", at, at, "done",
                   log=log(at, "Release 1.2.3 is installed."))  # fmt: skip
    listeners = [
        {"protocol": "tcp", "port": 631, "user": "root", "local": True},
        {"protocol": "tcp", "port": 8888, "user": "", "local": False},
    ]
    return Upkeep(releases=[release("1.2.3", "2026-11-13", "active")], switches=[first], listeners=listeners)
