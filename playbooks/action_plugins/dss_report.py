"""Print what dss_preflight found on all hosts as one table; stop the run when a host is below the minimum."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, display
from services import preflight


class ActionModule(Action):
    """Arguments: hosts, {name: result of dss_preflight}."""

    _requires_connection = False

    def work(self) -> Answer:
        found = self.args["results"]
        rows = [preflight.Row(*row) for one in found for row in one["rows"]]
        limits = preflight.LAB if any(one["lab"] for one in found) else preflight.PRODUCT
        display.display("\n".join(["", *preflight.table(rows, limits), ""]))
        if bad := preflight.stopping(rows):
            what = "; ".join(f"{r.host}: {r.check} is {r.measured}, needed {r.needed}" for r in bad)
            return {
                "failed": True,
                "msg": f"Below the minimum, nothing was changed on any host. {what}.",
            }
        return {"changed": False}
