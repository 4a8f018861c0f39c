"""systemd as the node sees it: states in the manual's words, and start, stop and restart in order."""

import subprocess
from dataclasses import dataclass
from typing import Any

from services.node import files
from services.topology_groups import CATALOGUE_ROLE

ROLES = CATALOGUE_ROLE
PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestamp,NeedDaemonReload"
STATES = {"activating": "Starting", "active": "Running", "deactivating": "Stopping", "inactive": "Stopped"}
SECONDS = 120


@dataclass(frozen=True)
class Unit:
    """One unit; `state` is Starting, Running, Stopping, Stopped or Unavailable."""

    name: str
    state: str
    reason: str
    since: str
    stale: bool
    loaded: bool


def systemctl(*words: str, check: bool = True) -> str:
    """Run systemctl; its output. Raises CalledProcessError, with what it said in `.stderr`."""
    command = ["systemctl", "--no-ask-password", *words]
    done = subprocess.run(command, check=check, capture_output=True, text=True, timeout=SECONDS)
    return done.stdout


def withheld(unit: str) -> str:
    """The memory gate's reason for withholding a unit, or nothing."""
    empty: dict[str, str] = {}
    return files.read_json(files.RUN / "withheld" / f"{unit}.json", empty).get("reason", "")


def parse(text: str) -> list[Unit]:
    """The units in the output of `systemctl show -p PROPERTIES a b c`, blocks parted by empty lines."""
    blocks = [
        dict(line.partition("=")[::2] for line in b.splitlines()) for b in text.split("\n\n") if b.strip()
    ]
    return [_unit(block) for block in blocks]


def _unit(block: dict[str, str]) -> Unit:
    name, result = block["Id"], block.get("Result", "success")
    state = STATES.get(block["ActiveState"], "Unavailable")
    reason = f"withheld: {why}" if state == "Stopped" and (why := withheld(name)) else ""
    if block["LoadState"] not in {"loaded", "masked"}:
        state, reason = "Unavailable", f"the unit is {block['LoadState']}"
    elif block["SubState"] == "auto-restart" or (state == "Unavailable"):
        reason = f"failed ({result}), {block.get('NRestarts', '0')} restarts"
    return Unit(
        name,
        state,
        reason,
        block.get("ActiveEnterTimestamp", ""),
        block.get("NeedDaemonReload") == "yes",
        block["LoadState"] == "loaded",
    )


def show(names: list[str]) -> list[Unit]:
    """The units of these names, in their order."""
    return parse(systemctl("show", "-p", PROPERTIES, *names)) if names else []


def log(unit: str, lines: int = 50) -> str:
    """The last log lines of a unit."""
    command = ["journalctl", "--no-pager", "--quiet", "-o", "short-iso", "-n", str(lines), "-u", unit]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS).stdout


def own_role() -> str:
    """The catalogue's role of this node: main or sub."""
    return ROLES[files.read_json(files.ETC / "node.json", {"role": "main"})["role"]]


def built() -> list[dict[str, Any]]:
    """The catalogue's entries that run on this node, in start order (a service after what it needs)."""
    role = own_role()
    rows: list[dict[str, Any]] = files.read_json(files.ETC / "catalog.json", [])
    return in_order([r for r in rows if r["status"] == "built" and role in r["role"]])


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows sorted so that each comes after the services in its `after`; a loop keeps the file's order."""
    left, done = list(rows), []
    while left:
        waiting = {r["id"] for r in left}
        ready = [r for r in left if not waiting & set(r["after"])] or left[:1]
        done += ready
        left = [r for r in left if r not in ready]
    return done


def names(rows: list[dict[str, Any]]) -> list[str]:
    """The systemd units of these catalogue entries that this node's role runs, each once."""
    role = own_role()
    units = (unit for row in rows for unit in row["units"] if role in unit["role"])
    return list(dict.fromkeys(unit["name"] for unit in units))
