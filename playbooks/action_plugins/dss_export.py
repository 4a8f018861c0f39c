"""Write what was changed on hosts at run time into the files of the inventory. It connects to nothing."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, display
from services import export
from services.drift import Drift


class ActionModule(Action):
    """Arguments: results, {host: result of dss_drift}."""

    _requires_connection = False

    def work(self) -> Answer:
        site = self.site()
        changed = {
            name: export.Changed([Drift(**one) for one in found["drift"]], site.own_ports(site.host(name)))
            for name, found in self.args["results"].items()
            if "drift" in found
        }
        written = export.export(Path(self.sources[0]), changed)
        for one in written:
            display.display(f"{one.file}: {one.host}: {one.key} is now {one.value}")
        if not written:
            display.display("The inventory says already what the nodes do.")
        return {"changed": bool(written)}
