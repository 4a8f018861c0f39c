"""The services that run on this node, as deployed."""

from dataclasses import dataclass
from typing import Any

from services.node.units import ROLES, in_order
from services.runtime import config


@dataclass(frozen=True)
class Entry:
    """One built service of this node's role; `core` ones carry the portal itself."""

    id: str
    label: str
    core: bool
    after: tuple[str, ...]
    units: tuple[str, ...]
    ports: dict[str, int]


def load(role: str) -> list[Entry]:
    """Built services of a node in inventory group `role`, each after the ones it needs."""
    kind = ROLES[role]
    rows = [row for row in config.load_catalog() if row["status"] == "built" and kind in row["role"]]
    return [_entry(row, kind) for row in in_order(rows)]


def _entry(row: dict[str, Any], kind: str) -> Entry:
    service = config.load_service(row["id"])
    return Entry(
        id=row["id"],
        label=row["label"],
        core=row["memory"] == "core",
        after=tuple(row["after"]),
        units=tuple(_units(row["units"], kind)),
        ports=service.ports,
    )


def _units(units: list[Any], kind: str) -> list[str]:
    described = [unit if isinstance(unit, dict) else {"name": unit} for unit in units]
    return [unit["name"] for unit in described if kind in unit.get("role", [kind])]
