"""Bring what is configured to life: reload systemd, restart what changed, start what is enabled."""

import subprocess
import sys
import time
from pathlib import Path

from services.node import files, pending, units
from services.node.report import Report
from services.node.units import Unit
from services.runtime.errors import Problem

TARGET = "dss.target"
FIREWALL = "dss-firewall.service"
NETWORKS = "dss-networks.service"
RULES = files.ETC / "firewall.nft"
UNITS = Path("/etc/systemd/system")
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
    _forget_arp()
    pending.done([FIREWALL])
    return report


def _forget_arp() -> None:
    """Take our table for ARP away when the rules have none any more; what they have, they replace."""
    if "table arp dss" not in RULES.read_text():
        subprocess.run(["nft", "delete", "table", "arp", "dss"], capture_output=True, check=False, timeout=30)


def networks(check: bool = False) -> Report:
    """Bring the node's VLANs and routes to what the unit says; what it said before is taken down first."""
    report, changed = Report(), NETWORKS in pending.units()
    there = (UNITS / NETWORKS).exists()
    running = units.show([NETWORKS])[0].state == "Running"
    report.add("networks", changed or (there and (not running or _disabled(NETWORKS))))
    if check or not report.changes:
        return report
    # Before systemd reads the new file: only the old one knows what it made.
    units.systemctl("stop", NETWORKS, check=False)
    units.systemctl("daemon-reload")
    if there:
        units.systemctl("enable", "--quiet", NETWORKS)
        _begin_networks()
    else:
        units.systemctl("disable", "--quiet", NETWORKS, check=False)
    pending.done([NETWORKS])
    return report


def _begin_networks() -> None:
    try:
        units.systemctl("start", NETWORKS)
    except subprocess.CalledProcessError as failed:
        raise Problem(
            "networks-refused",
            "The node's networks could not be made.",
            units.log(NETWORKS, 10) or str(failed),
            "Compare dss_networks and dss_addresses of the inventory with `ip -brief address` on the node; a "
            "VLAN needs the kernel module 8021q. Then run it again.",
        ) from failed


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
