"""The certificates of the whole site as their nodes tell them, and how long each is good."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.runtime import clock, config
from services.runtime.errors import Problem
from services.runtime.names import covers
from services.smc import nodes
from services.smc.nodes import Node

WARN_DAYS, ERROR_DAYS = 30, 7


@dataclass(frozen=True)
class Certificate:
    """One certificate. `purpose`: node, authority or portal (a customer's own, imported).

    `days_left` is below 0 when it has ended. `state`: good, ending (30 days or less), critical (7 days or
    less), expired. `signed_by` is the fingerprint of the authority of the site that signed it, or empty.
    """

    node: str
    purpose: str
    subject: str
    names: list[str]
    issuer: str
    not_before: datetime
    not_after: datetime
    days_left: int
    state: str
    fingerprint: str
    signed_by: str


def listing(session: Session) -> list[Certificate]:
    """Every certificate of every node that reports, the one that ends first at the top."""
    return of_nodes(nodes.listing(session))


def of_nodes(listed: list[Node]) -> list[Certificate]:
    """The same from nodes that were read already. An authority that many trust is told once."""
    found: dict[tuple[str, str], Certificate] = {}
    for node in listed:
        for row in node.beat.get("certificates") or []:
            one = _certificate(node.name, row)
            if one is None:
                continue
            place = "" if one.purpose == "authority" else node.name
            found.setdefault((place, one.fingerprint), one)
    return sorted(found.values(), key=lambda one: (one.not_after, one.node, one.purpose))


def silent(listed: list[Node]) -> list[str]:
    """Nodes whose certificates are not known: they do not report, or run an older release."""
    return [node.name for node in listed if node.beat.get("certificates") is None]


def imported() -> dict[str, Any] | None:
    """The customer's certificate that the portal shows, {"fingerprint", "names"}; None without one."""
    try:
        found = config.read_json(config.root() / "portal-certificate.json")
    except Problem:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("names"), list) else None


def stands_for(host: str) -> bool:
    """Whether the imported certificate is good for a host name: then the portal is known by it."""
    return any(covers(str(name), host) for name in (imported() or {}).get("names", []))


def _certificate(node: str, row: dict[str, Any]) -> Certificate | None:
    """One row of a beat; None when it is not as this release writes it."""
    try:
        begins, ends = (datetime.fromisoformat(row[key]) for key in ("not_before", "not_after"))
        left = (ends - clock.now()).total_seconds() / 86400
        return Certificate(
            node, row["purpose"], row["subject"], list(row["names"]), row["issuer"], begins, ends,
            int(left // 1), _state(left), row["fingerprint"], row["signed_by"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def _state(days: float) -> str:
    if days < 0:
        return "expired"
    if days <= ERROR_DAYS:
        return "critical"
    return "ending" if days <= WARN_DAYS else "good"
