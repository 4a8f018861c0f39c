"""The five states of the service manager, from what systemd and the health check say."""

from dataclasses import dataclass

STARTING, RUNNING, STOPPING = "Starting", "Running", "Stopping"
STOPPED, UNAVAILABLE = "Stopped", "Unavailable"

# From worst to best: a service is as well as its worst unit.
WORST_FIRST = (UNAVAILABLE, STOPPED, STOPPING, STARTING, RUNNING)

# Result= of a unit (systemd.exec(5), org.freedesktop.systemd1(5)) in words for an administrator.
RESULTS = {
    "exit-code": "it ended with an error",
    "signal": "it was killed",
    "core-dump": "it crashed",
    "watchdog": "it no longer answered its watchdog",
    "timeout": "it took too long to start or stop",
    "oom-kill": "the system ran out of memory",
    "start-limit-hit": "it failed too often in a row",
    "protocol": "it did not report that it was ready",
    "resources": "systemd could not provide what it needs",
}


@dataclass(frozen=True)
class Unit:
    """A systemd unit: LoadState, ActiveState, SubState, Result; `since` in Unix seconds, 0 if never."""

    name: str
    load: str
    active: str
    sub: str
    result: str = "success"
    since: float = 0.0
    pid: int = 0
    restarts: int = 0


@dataclass(frozen=True)
class Condition:
    """One of the five states, and why; of a Running one, what a person must look at."""

    state: str
    reason: str = ""


def of_unit(unit: Unit, withheld: str, unhealthy: str | None, alarm: str = "") -> Condition:
    """State of one unit.

    `withheld`: the memory gate's reason, or empty. `unhealthy`: what the health check found, empty if all is
    well, None if it has not been asked yet. `alarm`: what else it tells.
    """
    if unit.load not in {"loaded", "masked"}:
        return Condition(UNAVAILABLE, f"{unit.name} is not installed on this node")
    if unit.active in {"active", "reloading"}:
        return _of_active(unhealthy, alarm)
    if unit.active == "activating":
        return _of_activating(unit)
    if unit.active == "deactivating":
        return Condition(STOPPING)
    if unit.active == "inactive":
        return Condition(STOPPED, f"Withheld at start: {withheld}" if withheld else "")
    return Condition(UNAVAILABLE, f"{unit.name}: {_why(unit)}")


def worst(conditions: list[Condition]) -> Condition:
    """State of a service of several units."""
    if not conditions:
        return Condition(UNAVAILABLE, "It has no unit on this node")
    return min(conditions, key=lambda one: WORST_FIRST.index(one.state))


def _of_active(unhealthy: str | None, alarm: str) -> Condition:
    if unhealthy is None:
        return Condition(STARTING, "Waiting for its first health check")
    return Condition(UNAVAILABLE, unhealthy) if unhealthy else Condition(RUNNING, alarm)


def _of_activating(unit: Unit) -> Condition:
    if unit.sub.startswith("auto-restart"):
        return Condition(UNAVAILABLE, f"{unit.name}: {_why(unit)}; systemd is starting it again")
    return Condition(STARTING)


def _why(unit: Unit) -> str:
    return RESULTS.get(unit.result, f"it failed ({unit.result})")
