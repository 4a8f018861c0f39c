"""Print what dss_preflight found on all hosts as one table; stop the run when a host is below the minimum."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import preflight

display = Display()


class ActionModule(ActionBase):
    """Arguments: hosts, {name: result of dss_preflight}."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        found = self._task.args["results"]
        rows = [preflight.Row(*row) for one in found for row in one["rows"]]
        limits = preflight.LAB if any(one["lab"] for one in found) else preflight.PRODUCT
        display.display("\n".join(["", *preflight.table(rows, limits), ""]))
        if bad := preflight.stopping(rows):
            what = "; ".join(f"{r.host}: {r.check} is {r.measured}, needed {r.needed}" for r in bad)
            return result | {
                "failed": True,
                "msg": f"Below the minimum, nothing was changed on any host. {what}.",
            }
        return result | {"changed": False}
