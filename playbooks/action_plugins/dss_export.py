"""Write what was changed on hosts at run time into the files of the inventory. It connects to nothing."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy, export
from services.facts import Drift
from services.runtime.errors import Problem

display = Display()


class ActionModule(ActionBase):
    """Arguments: results, {host: result of dss_drift}."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        sources = task_vars["ansible_inventory_sources"]
        site = deploy.load(sources, load_extra_vars(self._loader))
        changed = {
            name: export.Changed([Drift(**one) for one in found["drift"]], site.own_ports(site.host(name)))
            for name, found in self._task.args["results"].items()
            if "drift" in found
        }
        try:
            written = export.export(Path(sources[0]), changed)
        except Problem as problem:
            return result | {"failed": True, "msg": str(problem)}
        for one in written:
            display.display(f"{one.file}: {one.host}: {one.key} is now {one.value}")
        if not written:
            display.display("The inventory says already what the nodes do.")
        return result | {"changed": bool(written)}
