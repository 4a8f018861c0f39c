"""What a host must bring: measured values against the requirements, and one table for all hosts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from services.topology import Host
from services.topology_words import is_network

OK, LOW, BAD = "ok", "below recommended", "below minimum"
GB = 1024**3
TOLERANCE = 0.92
"""Firmware and kernel keep some of the memory that was bought: 8 GB are reported as about 7.6."""

RELEASES = ("12", "13")
Measured = Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    """Minimum and recommended values; memory and space in GB, card speed in Mbit/s, clock in MHz."""

    name: str
    cores: tuple[int, int]
    mhz: int
    memory: tuple[float, float]
    cards: tuple[int, int]
    speed: int
    space: tuple[float, float]
    partitions: int


PRODUCT = Limits("product", (4, 12), 2200, (8, 16), (2, 4), 1000, (500, 500), 3)
LAB = Limits("lab", (1, 1), 0, (1, 1), (1, 1), 0, (2, 2), 1)
SKEW = (2.0, 30.0)
"""Seconds between the clocks of host and controller: the first is worth a warning, the second stops."""


@dataclass(frozen=True)
class Row:
    """One thing that was measured on one host."""

    host: str
    check: str
    measured: str
    needed: str
    level: str


def level(value: float, minimum: float, recommended: float) -> str:
    """The level of a value where more is better."""
    return BAD if value < minimum else LOW if value < recommended else OK


def judge(host: str, found: Measured, limits: Limits) -> list[Row]:
    """Every check of one host; `found` is what the module dss_preflight measured, and `skew` in seconds."""
    rows = [
        _system(found),
        *_machine(found, limits),
        *_network(found, limits),
        *(_separate(one) for one in found.get("networks", ())),
        *_way_in(found),
        *_disks(found, limits),
        *_time(found),
    ]
    return [Row(host, *row) for row in rows]


Judged = tuple[str, str, str, str]


def _system(found: Measured) -> Judged:
    name, number = found["os"].get("ID", "?"), found["os"].get("VERSION_ID", "?")
    good = name == "debian" and number in RELEASES and found["arch"] == "x86_64"
    needed = f"Debian {' or '.join(RELEASES)}, x86_64"
    return "operating system", f"{name} {number} {found['arch']}", needed, OK if good else BAD


def _machine(found: Measured, limits: Limits) -> list[Judged]:
    memory, (least, best) = found["memory"] / GB, limits.memory
    few, many = limits.cores
    clock = OK if not found["mhz"] or found["mhz"] >= limits.mhz else LOW
    return [
        ("processor cores", str(found["cores"]), f"{few} / {many}", level(found["cores"], few, many)),
        ("processor clock", f"{found['mhz'] or 'unknown'} MHz", f"- / {limits.mhz} MHz", clock),
        (
            "memory",
            f"{memory:.1f} GB",
            f"{least:g} / {best:g} GB",
            level(memory, least * TOLERANCE, best * TOLERANCE),
        ),
    ]


def _network(found: Measured, limits: Limits) -> list[Judged]:
    fast = [c for c in found["cards"] if c["speed"] is None or c["speed"] >= limits.speed]
    few, many = limits.cards
    text = ", ".join(f"{c['name']} {c['speed'] or '?'} Mbit/s" for c in found["cards"]) or "none"
    address = found["address"]
    where = "on this host" if address["present"] else "not configured on this host"
    other = f"also at {address['duplicate']}" if address["duplicate"] else "no other machine has it"
    ports = ", ".join(f"{port} by {who}" for port, who in sorted(found["taken"].items())) or "all free"
    return [
        ("network cards", text, f"{few} / {many} at {limits.speed} Mbit/s", level(len(fast), few, many)),
        ("service address", where, "on this host", OK if address["present"] else BAD),
        ("duplicate address", other, "none", BAD if address["duplicate"] else OK),
        ("ports", ports, "free, or held by DSS itself", BAD if found["taken"] else OK),
    ]


def allowed(host: Host) -> list[str]:
    """The allow list that the host's SSH server will be behind; empty lets everybody in."""
    managed = next((one for one in host.networks if "management" in one.purposes), None)
    listed = [*((managed.allow if managed else ()) or host.get("dss_allow"))]
    with_nodes = managed is None or "cluster" in managed.purposes
    return [*listed, host.center.address] if listed and host.center and with_nodes else listed


def _way_in(found: Measured) -> list[Judged]:
    """Whether the machine that deploys could log in once more behind the firewall."""
    listed, caller = found.get("allowed", ()), found.get("caller", "")
    if not listed or not caller:
        return []
    named = any(_covers(one, caller) for one in listed)
    return [("way in for deployment", caller, f"named in {', '.join(listed)}", OK if named else BAD)]


def _covers(item: str, caller: str) -> bool:
    """Whether an item of an allow list may let an address in; of a MAC address alone nobody can tell."""
    networks = [word for word in item.split() if is_network(word)]
    address = ip_address(caller.partition("%")[0])
    return all(address in ip_network(word, strict=False) for word in networks)


def _separate(network: Mapping[str, str]) -> Judged:
    """One of several networks: its interface, and its address where the host itself has to bring it."""
    needed = " on ".join(filter(None, (network["address"], network["interface"])))
    twice = f"also at {network['duplicate']}" if network["duplicate"] else ""
    wrong = network["state"] or twice
    return f"network {network['name']}", wrong or "on this host", needed, BAD if wrong else OK


def _disks(found: Measured, limits: Limits) -> list[Judged]:
    disk, (least, best) = found["disk"], limits.space
    # A running site has filled its own disk: then the disk's size counts.
    space = (disk["total"] if found["installed"] else disk["free"]) / GB
    apart = len(disk["pictures_apart"]) == len(disk["pictures"]) > 0
    pictures = ", ".join(disk["pictures"]) or "none given"
    shared = "shared with the system" if disk["on_system_disk"] else "of its own"
    return [
        ("space in install path", f"{space:.0f} GB", f"{best:g} GB in total", level(space, least, best)),
        ("install disk", shared, "- / of its own", LOW if disk["on_system_disk"] else OK),
        (
            "disk partitions",
            str(disk["partitions"]),
            f"- / {limits.partitions}",
            level(disk["partitions"], 0, limits.partitions),
        ),
        ("picture disks", pictures, "- / apart from system and install disk", OK if apart else LOW),
    ]


def _time(found: Measured) -> list[Judged]:
    skew, (warn, stop) = abs(found["skew"]), SKEW
    clock = OK if skew <= warn else LOW if skew <= stop else BAD
    synchronised = found["synchronised"] == "yes"
    return [
        ("clock difference", f"{skew:.1f} s", f"{stop:g} / {warn:g} s", clock),
        (
            "clock synchronised",
            "yes" if synchronised else "no",
            "- / yes",
            OK if synchronised else LOW,
        ),
        ("time zone", found["zone"], "- / the same everywhere", OK),
    ]


def same_zone(rows: list[Row]) -> list[Row]:
    """The rows with time zones that differ between hosts marked."""
    zones = {r.measured for r in rows if r.check == "time zone"}
    if len(zones) < 2:
        return rows
    return [Row(r.host, r.check, r.measured, r.needed, LOW) if r.check == "time zone" else r for r in rows]


def table(rows: Iterable[Row], limits: Limits) -> list[str]:
    """All hosts in one table, ordered by check, so that hosts can be compared."""
    rows = same_zone(list(rows))
    heading = Row("host", "check", "measured", "minimum / recommended", "result")
    checks = list(dict.fromkeys(r.check for r in rows))
    ordered = sorted(rows, key=lambda r: (checks.index(r.check), r.host))
    columns = [
        [getattr(r, c) for r in [heading, *ordered]] for c in ("check", "host", "measured", "needed", "level")
    ]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    if limits is LAB:
        lines.append("Limits were lowered by dss_lab_limits: this is a lab, not a site to rely on.")
    return lines


def stopping(rows: Iterable[Row]) -> list[Row]:
    """What must not go on."""
    return [r for r in rows if r.level == BAD]
