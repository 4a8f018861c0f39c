"""Render a host's whole tree on the controller and hand it to the module of the same name, in one task."""

import sys
from pathlib import Path

from ansible.plugins.loader import module_utils_loader

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, display
from services import deploy

# The writer is the node's own; an imported playbook's folder is not searched for such parts by itself.
module_utils_loader.add_directory(str(Path(__file__).resolve().parents[1] / "module_utils"))


class ActionModule(Action):
    """Arguments: stage, a folder to write to instead of the host itself. Honours check and diff.

    What was changed at run time stays, and is reported; with `-e dss_take=inventory` it is taken back.
    """

    def work(self) -> Answer:
        site = self.site()
        host = site.host(self.host_name)
        overrides = deploy.overrides_of(self._low_level_execute_command)
        if deploy.taken(self.extra) == "inventory":
            overrides = {}
        drift = site.drift(host, overrides)
        for line in deploy.drift_lines(host.name, drift):
            display.warning(line, formatted=True)
        wanted: Answer = {"files": site.files(host, overrides)}
        if stage := self.args.get("stage"):
            wanted |= {"root": stage, "credentials": "/etc/dss/credentials"}
        return self.module("dss_tree", wanted) | {"drift": [vars(one) for one in drift]}
