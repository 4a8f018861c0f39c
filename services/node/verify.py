"""Whether a node is as deployed: units run, health answers through DSS_NGINX, listeners fit the matrix."""

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import psutil

from services.node import files, units

LOG_LINES = 12
WAIT_SECONDS = 30
PORTAL = "dss-portal.service"
LOOPBACK = "127.0.0.1"
Place = tuple[int, str, str]
"""(port, protocol, address); an empty address is every one."""

Places = dict[Place, str]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `reason` and `log` say what is wrong and where to look."""

    what: str
    ok: bool
    reason: str = ""
    log: str = ""


def verify(wait: float = WAIT_SECONDS) -> list[Check]:
    """All checks of this node; what is still coming up gets `wait` seconds in total."""
    end = time.monotonic() + wait
    while True:
        checks = [*_units(), *_health(), *_listeners()]
        if all(c.ok for c in checks) or time.monotonic() > end:
            return checks
        time.sleep(0.5)


def _units() -> list[Check]:
    names = units.names(units.built())
    return [_unit(u) for u in units.show(names)]


def _unit(unit: units.Unit) -> Check:
    if unit.reason.startswith("withheld"):
        return Check(unit.name, True, unit.reason)
    ok = unit.state == "Running"
    reason = "" if ok else f"{unit.state} {unit.reason}".strip()
    return Check(unit.name, ok, reason, "" if ok else units.log(unit.name, LOG_LINES))


def _health() -> list[Check]:
    rows = [row for row in units.built() if row["health"] and not _withheld(row)]
    # The portal is a second unit of DSS_SMC, with a health page of its own.
    portal = [("portal", row) for row in rows if PORTAL in units.names([row])]
    return [_ask(id_, row) for id_, row in [(row["id"], row) for row in rows] + portal]


def _withheld(row: dict[str, Any]) -> bool:
    return any(units.withheld(name) for name in units.names([row]))


def _ask(id_: str, row: dict[str, Any]) -> Check:
    """GET /health/<id> at this node's DSS_NGINX, verified against the site's authority."""
    what = f"/health/{id_}"
    context = ssl.create_default_context(cafile=str(files.ETC / "pki" / "ca.pem"))
    context.load_cert_chain(files.ETC / "pki" / "node.pem", files.ETC / "pki" / "node.key")
    connection = HTTPSConnection(LOOPBACK, _https_port(), context=context, timeout=5)
    try:
        connection.request("GET", what)
        response = connection.getresponse()
        text = response.read(16384)
    except (OSError, HTTPException) as problem:
        return Check(what, False, f"{type(problem).__name__}: {problem}", _logs(row))
    finally:
        connection.close()
    if response.status == 200:
        return Check(what, True)
    return Check(what, False, f"HTTP {response.status} {_failing(text)}".strip(), _logs(row))


def _failing(text: bytes) -> str:
    """The failing checks in a health answer, or nothing when it is not one."""
    try:
        checks = json.loads(text)["checks"]
        return "; ".join(f"{k}: {v.get('reason', '')}" for k, v in checks.items() if not v.get("ok"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _logs(row: dict[str, Any]) -> str:
    return "".join(units.log(name, LOG_LINES) for name in units.names([row]))


def _https_port() -> int:
    empty: dict[str, Any] = {"ports": {"https": 443}}
    return int(files.read_json(files.ETC / "services" / "nginx.json", empty)["ports"]["https"])


def _listeners() -> list[Check]:
    """The listening sockets of this node's own units against ports.json, both ways."""
    nothing: list[dict[str, Any]] = []
    rows = [r for r in files.read_json(files.ETC / "ports.json", nothing) if r["direction"] == "in"]
    ours = (r for r in rows if r["status"] == "built" and r["service"] != "ssh")
    wanted = {(r["port"], r["protocol"], r.get("address", "")): r["service"] for r in ours}
    bound = own_sockets(set(units.names(units.built())))
    wrong = [*_missing(wanted, bound), *_extra(wanted, bound)]
    number = len({place[:2] for place in bound})
    return wrong or [Check("listeners", True, f"{number} as in the port matrix")]


def _missing(wanted: Places, bound: Places) -> Iterator[Check]:
    held = {row["id"] for row in units.built() if _withheld(row)}
    for place, service in wanted.items():
        if not _bound(place, bound) and service not in held:
            yield Check(_row(place), False, f"nothing listens, {service} should")


def _extra(wanted: Places, bound: Places) -> Iterator[Check]:
    known = {place[:2] for place in wanted}
    for (port, proto), unit in {place[:2]: unit for place, unit in bound.items()}.items():
        if (port, proto) not in known:
            yield Check(f"{port}/{proto}", False, f"{unit} listens, the port matrix does not know it")
    for place, unit in bound.items():
        if _stray(place, wanted):
            yield Check(_row(place), False, f"{unit} listens there, the port matrix names other addresses")


def _row(place: Place) -> str:
    port, proto, address = place
    return f"{port}/{proto}" + (f" at {address}" if address else "")


def _bound(place: Place, bound: Places) -> bool:
    """Whether something listens at a place of the matrix; an address of its own is asked for exactly."""
    return place in bound if place[2] else any(one[:2] == place[:2] for one in bound)


def _stray(place: Place, wanted: Places) -> bool:
    """Whether a socket is bound to an address that the matrix lacks for its port; loopback is free."""
    named = {address for port, proto, address in wanted if (port, proto) == place[:2]}
    return bool(named) and "" not in named and place[2] not in named | {LOOPBACK}


def own_listeners(names: set[str]) -> dict[tuple[int, str], str]:
    """(port, protocol) → unit of every listening socket that belongs to one of the units."""
    return {place[:2]: unit for place, unit in own_sockets(names).items()}


def own_sockets(names: set[str]) -> dict[Place, str]:
    """The same with the address that each is bound to."""
    found: dict[Place, str] = {}
    for connection in psutil.net_connections("inet"):
        proto = "tcp" if connection.type.name == "SOCK_STREAM" else "udp"
        bound = connection.status == psutil.CONN_LISTEN or (proto == "udp" and not connection.raddr)
        unit = unit_of(connection.pid) if bound and connection.pid else ""
        if unit in names and connection.laddr:
            found[connection.laddr.port, proto, connection.laddr.ip] = unit
    return found


def unit_of(pid: int) -> str:
    """The systemd unit a process belongs to, "" if none or if it is gone."""
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
    parts = (part for line in text.splitlines() for part in line.split("/"))
    return next((part for part in parts if part.endswith(".service")), "")


def as_rows(checks: list[Check]) -> list[dict[str, Any]]:
    """The checks as plain dictionaries."""
    return [asdict(c) for c in checks]
