"""Check everything that needs no host: inventory, agreement, bundle. It connects to nothing."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, display
from services import deploy
from services.catalog import CatalogError
from services.runtime.errors import Problem
from services.topology import InventoryErrors


class ActionModule(Action):
    """No arguments."""

    REFUSALS = (CatalogError, Problem)
    _requires_connection = False

    def work(self) -> Answer:
        try:
            site = self.site()
            deploy.need_agreement(site)
            remarks = deploy.need_portal_certificates(site, self.text)
            manifest = deploy.bundle(site)
        except InventoryErrors as mistakes:
            display.display("\n".join(["", *deploy.inventory_table(mistakes.errors), ""]))
            return {"failed": True, "msg": "The inventory has mistakes; the table above lists them."}
        for line in [*site.left_untouched(), *remarks]:
            display.display(line)
        size = sum(entry.size for entry in manifest.files.values()) >> 20
        display.display(
            f"Bundle {manifest.version} of {manifest.date}: signature and hashes are good, {size} MB."
        )
        return {"changed": False}
