"""`/api/v1`: one module per noun; importing them fills the table of operations."""

from services.smc.api import (
    accounts,
    audit,
    certificates,
    changes,
    devices,
    dmz,
    document,
    exports,
    layouts,
    nodes,
    recordings,
    recovery,
    services,
    site,
    upkeep,
)
from services.smc.api.route import blueprint

__all__ = [
    "accounts", "audit", "blueprint", "certificates", "changes", "devices", "dmz", "document", "exports",
    "layouts", "nodes", "recordings", "recovery", "services", "site", "upkeep",
]  # fmt: skip
