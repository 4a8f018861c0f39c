"""Check everything that needs no host: inventory, agreement, bundle. It connects to nothing."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy
from services.catalog import CatalogError
from services.runtime.errors import Problem
from services.topology import InventoryErrors

display = Display()


class ActionModule(ActionBase):
    """No arguments."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        try:
            site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
            deploy.need_agreement(site)
            manifest = deploy.bundle(site)
        except InventoryErrors as mistakes:
            display.display("\n".join(["", *deploy.inventory_table(mistakes.errors), ""]))
            return result | {"failed": True, "msg": "The inventory has mistakes; the table above lists them."}
        except (CatalogError, Problem) as problem:
            return result | {"failed": True, "msg": str(problem)}
        for line in site.left_untouched():
            display.display(line)
        size = sum(entry.size for entry in manifest.files.values()) >> 20
        display.display(
            f"Bundle {manifest.version} of {manifest.date}: signature and hashes are good, {size} MB."
        )
        return result | {"changed": False}
