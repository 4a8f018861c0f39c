"""Where a node is not as the inventory says, in words."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.smc import manager, peers

LABELS = {
    "address": "CMS IP",
    "mapping_ip": "Mapping IP",
    "tls10": "TLS 1.0",
    "portal_certificate": "Certificate of the portal",
    "center.address": "Address of main",
}


@dataclass(frozen=True)
class Differing:
    """One value of a node that was changed since its deployment; `path` as the deployment reports it."""

    path: str
    what: str
    now: str
    inventory: str


def listing(session: Session, node: str) -> list[Differing]:
    """All of them, asked now; Problem when the node does not answer."""
    rows = peers.call(manager.address(session, node), "GET", "/drift")
    return peers.parsed(node, lambda: [_read(row) for row in rows])


def _read(row: dict[str, Any]) -> Differing:
    path = str(row["path"])
    return Differing(path, _what(path), _value(path, row["value"]), _value(path, row["inventory"]))


def _what(path: str) -> str:
    if path.startswith("center.ports."):
        return f"Port {path.removeprefix('center.ports.')} of main"
    return LABELS.get(path, f"Port {path.removeprefix('ports.')}")


def _value(path: str, value: Any) -> str:  # noqa: ANN401 - JSON
    if path == "portal_certificate":
        return ", ".join(value.get("names", [])) if value else "the site's own"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
