"""Read from a host what was changed on it at run time and is not in the inventory."""

import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer
from services import deploy


class ActionModule(Action):
    """No arguments; the answer's `drift` has path, value and inventory of each difference."""

    def work(self) -> Answer:
        site = self.site()
        host = site.host(self.host_name)
        drift = site.drift(host, deploy.overrides_of(self._low_level_execute_command))
        return {"changed": False, "drift": [asdict(one) for one in drift]}
