"""`/api/v1`: one module per noun; importing them fills the table of operations."""

from services.smc.api import (
    accounts,
    audit,
    bookmarks,
    certificates,
    changes,
    control,
    devices,
    dmz,
    document,
    exports,
    layouts,
    nodes,
    player_accounts,
    recordings,
    recovery,
    services,
    site,
    upkeep,
)
from services.smc.api.route import blueprint

__all__ = [
    "accounts", "audit", "blueprint", "bookmarks", "certificates", "changes", "control", "devices", "dmz",
    "document", "exports",
    "layouts", "nodes", "player_accounts", "recordings", "recovery", "services", "site", "upkeep",
]  # fmt: skip
