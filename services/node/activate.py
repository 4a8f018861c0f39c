"""Bring what is configured to life: reload systemd, restart what changed, start what is enabled."""

import subprocess
import sys
import time

from services.node import pending, units
from services.node.report import Report
from services.node.units import Unit
from services.runtime.errors import Problem

TARGET = "dss.target"
FIREWALL = "dss-firewall.service"
WAIT_SECONDS = 60


def activate(check: bool = False) -> Report:
    """Restart exactly the units whose files changed, start the others; Problem when one does not come up.

    On a settled node this asks systemd twice and changes nothing.
    """
    report, wanted = Report(), units.names(units.built())
    changed = pending.units()
    before = {u.name: u for u in units.show(wanted)}
    down = [
        n
        for n, u in before.items()
        if u.state not in {"Running", "Starting"} and not u.reason.startswith("with")
    ]
    report.extend(f"{verb} {name}" for name, verb in changed.items())
    report.extend(f"start {name}" for name in down if name not in changed)
    if check or not (changed or down or _disabled(TARGET)):
        return report
    _prepare(wanted)
    _turn(changed, set(before))
    units.systemctl("start", *wanted, TARGET, check=False)
    _settle(wanted)
    pending.done(list(changed))
    return report


def firewall(check: bool = False) -> Report:
    """Load this node's own table of rules, now and at every boot; foreign rules are never touched."""
    report, verb = Report(), pending.units().get(FIREWALL)
    running = units.show([FIREWALL])[0].state == "Running"
    report.add("firewall", bool(verb) or not running or _disabled(FIREWALL))
    if check or not report.changes:
        return report
    units.systemctl("daemon-reload")
    units.systemctl("enable", "--quiet", FIREWALL)
    try:
        units.systemctl("reload-or-restart" if verb == "reload" else "restart", FIREWALL)
    except subprocess.CalledProcessError as failed:
        raise Problem(
            "firewall-refused",
            "The firewall could not load its rules; the rules before are still in force.",
            units.log(FIREWALL, 10) or str(failed),
            "Check dss_lan_networks, dss_allow and dss_gateway in the inventory, then run it again.",
        ) from failed
    pending.done([FIREWALL])
    return report


def start_alone(name: str) -> None:
    """Start one engine before the others, because a later step of the deployment talks to it."""
    if units.show([name])[0].state == "Running":
        return
    units.systemctl("daemon-reload")
    units.systemctl("unmask", "--quiet", name)
    units.systemctl("reset-failed", name, check=False)
    units.systemctl("start", name, check=False)
    _settle([name])


def _disabled(unit: str) -> bool:
    return units.systemctl("is-enabled", unit, check=False).strip() != "enabled"


def _prepare(wanted: list[str]) -> None:
    units.systemctl("daemon-reload")
    units.systemctl("unmask", "--quiet", *wanted)
    units.systemctl("enable", "--quiet", TARGET)
    units.systemctl("reset-failed", *wanted, check=False)


def _turn(changed: dict[str, str], known: set[str]) -> None:
    """Restart or reload changed units; one systemctl call each, so that systemd keeps their order."""
    for verb, command in (("restart", "restart"), ("reload", "reload-or-restart")):
        chosen = [name for name, wish in changed.items() if wish == verb and _there(name, known)]
        if chosen:
            units.systemctl(command, *chosen, check=False)


def _there(name: str, known: set[str]) -> bool:
    return name in known or units.show([name])[0].loaded


def _settle(wanted: list[str]) -> None:
    """Wait until no unit is starting any more; Problem naming those that are not Running or withheld."""
    end = time.monotonic() + WAIT_SECONDS
    while any(u.state == "Starting" for u in units.show(wanted)) and time.monotonic() < end:
        time.sleep(0.2)
    bad = [u for u in units.show(wanted) if u.state != "Running" and not u.reason.startswith("withheld")]
    if not bad:
        return
    logs = "\n".join(f"--- {u.name}: {u.state} {u.reason}\n{units.log(u.name, 15)}" for u in bad)
    raise Problem(
        "units-not-running",
        f"{', '.join(u.name for u in bad)} did not start.",
        f"Its last log lines:\n{logs}",
        "Correct the cause and run the playbook again; it continues where it stopped.",
    )


def act(verb: str, service: str) -> list[Unit]:
    """start, stop or restart one service or `all`, in dependency order; its units as they are afterwards.

    Raises Problem for an unknown service.
    """
    rows = units.built()
    chosen = rows if service == "all" else [r for r in rows if service in (r["id"], r["code"])]
    if not chosen:
        known = ", ".join(r["id"] for r in rows)
        raise Problem(
            "unknown-service",
            f"There is no service {service!r} on this node.",
            f"This node runs: {known}.",
            "Use one of these names, or all.",
        )
    names = units.names(chosen)
    for name in reversed(names) if verb == "stop" else names:
        try:
            units.systemctl(verb, name)
        except subprocess.CalledProcessError as problem:
            print(problem.stderr.strip(), file=sys.stderr)
    return units.show(names)
