"""A node as the portal meets it: what its agent beats and answers, and its services and ports."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.runtime import clock
from services.smc.agent.backups import summary
from tests.portal.upkeep import Upkeep, busy, empty

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.render import File

GB = 1024**3
PTZ = {"pan": 1.0, "tilt": 2.0, "zoom": 3.0, "presets": [{"id": 7, "name": "Gate"}], "ends_in": 2.5}


@dataclass
class Agent:
    """One node as the portal meets it: its services, what it was told to do, and its rows of ports.json."""

    name: str
    services: list[dict[str, Any]]
    ports: list[dict[str, Any]]
    available: int = 6 * GB
    orders: list[tuple[str, str]] = field(default_factory=list)
    ordered_by: list[str] = field(default_factory=list)
    steps: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    beats: bool = True
    changes: list[dict[str, Any]] = field(default_factory=list)
    upkeep: Upkeep = field(default_factory=Upkeep)
    certificates: list[dict[str, Any]] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    asking: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    streams: Callable[[], list[dict[str, Any]]] | None = None
    exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    moves: list[dict[str, Any]] = field(default_factory=list)

    def beat(self) -> dict[str, Any]:
        """The agent's beat (interfaces.md section 4)."""
        wave = time.time() % 60
        return {
            "node": self.name, "role": "main" if self.name.startswith("main") else "sub", "version": "1.2.3",
            "at": clock.iso(clock.now()), "uptime": 183600 + wave, "cpu": 18 + wave / 10,
            "memory": {"total": 16 * GB, "available": self.available},
            "disk": {"total": 931 * GB, "free": 604 * GB},
            "network": {"rx_bps": 41_300_000 + wave * 1e5, "tx_bps": 62_900_000}, "services": self.services,
            "backup": summary(self.upkeep.backups()),
            "certificates": self.certificates,
        } | ({"addresses": self.addresses} if self.addresses else {}) | {"ports": self.numbers}  # fmt: skip

    def order(self, service: str, verb: str) -> str:
        """Do what was ordered, at once; returns the task's id."""
        self.orders.append((service, verb))
        task = f"t{len(self.orders)}"
        self.steps[task] = []
        for one in self.services:
            if service in {one["id"], "all"}:
                one |= {"state": "Stopped" if verb == "stop" else "Running", "reason": ""}
                one["restarts"] += verb == "restart"
                self.steps[task].append({"service": one["id"], "state": "done", "message": ""})
        return task

    def change(self, parts: list[str], asked: dict[str, Any]) -> tuple[int, Any]:
        """Changes at run time: the first port is refused, any other waits for confirmation."""
        if parts == ["changes"] and asked:
            refused = 554 in asked.get("ports", {}).values()
            self.changes.insert(
                0, record(asked, "refused" if refused else "waiting", f"{len(self.changes):032x}")
            )
            return 202, {"id": self.changes[0]["id"]}
        if parts == ["changes"]:
            return 200, self.changes
        found = next((one for one in self.changes if one["id"] == parts[1]), None)
        if found and parts[2:]:
            found["state"] = {"confirm": "kept", "undo": "undone"}[parts[2]]
        return (200, found) if found else (404, {"code": "unknown", "what": "No such thing."})

    def export(self, method: str, parts: list[str], asked: dict[str, Any]) -> tuple[int, Any]:
        """Exports as DSS_SS makes them; what was ordered waits until a test says how it goes on."""
        if method == "POST" and parts == ["exports"]:
            self.exports[asked["id"]] = part(asked["id"])
            return 201, self.exports[asked["id"]]
        if parts == ["exports"]:
            return 200, list(self.exports.values())
        found = self.exports.get(parts[1])
        if found and method == "DELETE":
            return 200, self.exports.pop(parts[1])
        if found and parts[2:] == ["cancel"]:
            found |= {"state": "cancelled"}
        return (200, found) if found else (404, {"code": "unknown", "what": "No such thing."})

    def answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and body of one request."""
        parts = path.partition("?")[0].strip("/").split("/")
        if method == "GET" and parts == ["services"]:
            return 200, self.services
        if method == "GET" and parts in (["asking"], ["cluster", "ars", "asking"]):
            return 200, self.asking
        if parts == ["cluster", "mts", "streams"] and self.streams:
            return 200, self.streams()
        if method == "GET" and parts == ["ports"]:
            return 200, self.ports
        if method == "GET" and parts[0] == "logs":
            return 200, {
                "lines": [f"12:00:{n:02d} {parts[1]}: line {n} <b>of</b> the log" for n in range(50)]
            }
        if method == "GET" and parts[0] == "tasks" and parts[1] in self.steps:
            return 200, {"id": parts[1], "state": "done", "steps": self.steps[parts[1]]}
        if "collections" in parts[:3]:
            return 200, {"size": 9, "tag": "t"}
        if "exports" in parts[:3]:
            return self.export(method, parts[parts.index("exports") :], body or {})
        if "ptz" in parts[:3]:
            self.moves.extend([body] if body else [])
            moving = str((body or {}).get("code") or "")
            return 200, PTZ | {"moving": moving, "began": bool(moving)}
        if parts == ["drift"]:
            return 200, self.drift
        if parts[0] == "changes":
            return self.change(parts, body or {})
        if method == "GET" and parts == ["history"]:
            return 200, self.upkeep.history() | {"changes": self.changes}
        if parts[0] in {"backups", "releases", "listeners"}:
            return self.upkeep.answer(method, parts, body or {})
        if method == "POST" and parts[0] == "services":
            self.ordered_by.append(str((body or {}).get("by")))
            return 202, {"task": self.order(parts[1], parts[2])}
        return 404, {"code": "unknown", "what": "No such thing.", "why": "", "remedy": ""}


def record(asked: dict[str, Any], state: str, id: str) -> dict[str, Any]:
    """A change as a node's agent shows it."""
    problem = {"code": "port-clash", "what": "The change was not made.",
               "why": "554/tcp belongs to DSS_X (rtsp).",
               "remedy": "Take another number.", "status": 409}  # fmt: skip
    return {
        "id": id, "request": asked, "by": "admin", "state": state, "began": time.time(),
        "ends": time.time() + 290, "healthy_after": 2.5, "before": {}, "after": {},
        "affected": {"units": {"dss-mts.service": "restart"}, "paths": ["/etc/dss/firewall.nft"]},
        "problem": problem if state == "refused" else None,
        "log": [{"at": time.time(), "text": f"It is {state}."}],
    }  # fmt: skip


def part(id: str, state: str = "queued", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A part of an export as DSS_SS tells it."""
    return {
        "id": id, "state": state, "at": time.time(), "written": 0, "total": 1000, "files": 0, "missing": 0.0,
        "name": "", "size": 0, "sha256": "", "why": "", "ended": 0.0,
    } | more  # fmt: skip


def service(id: str, state: str = "Running", reason: str = "", hours: float = 52.3) -> dict[str, Any]:
    """A service of a beat, with figures that fit its state."""
    runs = state in {"Running", "Starting", "Stopping"}
    size = {"mysql": 96, "mts": 71, "smc": 58, "dms": 52, "mq": 24, "nginx": 14, "redis": 11}.get(id, 40)
    since = clock.iso(datetime.now(UTC) - timedelta(hours=hours))
    return {
        "id": id, "state": state, "reason": reason, "since": since if runs else None,
        "cpu": size / 10 if runs else 0.0, "memory": size * 1024**2 if runs else 0,
        "fds": size // 2 if runs else 0, "restarts": 0,
    }  # fmt: skip


def certificate(purpose: str, subject: str, days: float, *names: str) -> dict[str, Any]:
    """A certificate of a beat that ends in so many days."""
    now = datetime.now(UTC)
    ends, begins = (clock.iso(now + timedelta(days=d)) for d in (days, days - 90))
    return {
        "purpose": purpose, "subject": subject, "names": list(names), "issuer": "City Hall DSS CA",
        "not_before": begins, "not_after": ends, "fingerprint": f"sha256:{subject}", "signed_by": "",
    }  # fmt: skip


AUTHORITY = certificate("authority", "City Hall DSS CA", 3000)


def port_rows(files: dict[str, File], silent: str = "") -> list[dict[str, Any]]:
    """Rows of a rendered ports.json with what listens; `silent` names the service that does not."""
    rows: list[dict[str, Any]] = json.loads(files["/etc/dss/ports.json"].text)
    for row in rows:
        built = row["direction"] == "in" and row["status"] == "built"
        row["listening"] = row["service"] != silent if built else False
    return rows


def main_agent(files: dict[str, File]) -> Agent:
    """A main on which everything runs."""
    ids = ("nginx", "mysql", "redis", "mq", "smc", "dms", "mts")
    held = [certificate("node", "main-a", 300.5, "main-a", "198.18.0.10"), AUTHORITY]
    return Agent(
        "main-a", [service(id) for id in ids], port_rows(files), certificates=held, upkeep=busy("main-a")
    )


def sub_agent(files: dict[str, File]) -> Agent:
    """A sub whose DSS_MTS failed, which undid a change and keeps another that the inventory lacks."""
    failed = service("mts", "Unavailable", "Exit code 1, restarted 3 times in a minute.")
    running = [service(id) for id in ("nginx", "mq", "smc", "dms")]
    undone = record({"ports": {"mts.rtsp": 19100}}, "undone", "f" * 32)
    held = [certificate("node", "sub-1", 5.5, "sub-1", "127.0.0.21"), AUTHORITY]
    rows, drift = port_rows(files, "mts"), [{"path": "ports.mq.monitor", "value": 18222, "inventory": 8222}]
    return Agent("sub-1", [*running, failed], rows, changes=[undone], certificates=held, upkeep=empty(),
                 drift=drift)  # fmt: skip
