"""Render a host's whole tree on the controller and hand it to the module of the same name, in one task."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_utils_loader
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy
from services.runtime.errors import Problem

display = Display()
# The writer is the node's own; an imported playbook's folder is not searched for such parts by itself.
module_utils_loader.add_directory(str(Path(__file__).resolve().parents[1] / "module_utils"))


class ActionModule(ActionBase):
    """Arguments: stage, a folder to write to instead of the host itself. Honours check and diff.

    What was changed at run time stays, and is reported; with `-e dss_take=inventory` it is taken back.
    """

    TRANSFERS_FILES = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        extra = load_extra_vars(self._loader)
        site = deploy.load(task_vars["ansible_inventory_sources"], extra)
        name = task_vars["inventory_hostname"]
        try:
            overrides = deploy.overrides_of(self._low_level_execute_command)
            if deploy.taken(extra) == "inventory":
                overrides = {}
            drift = site.drift(site.host(name), overrides)
        except Problem as problem:
            return result | {"failed": True, "msg": str(problem)}
        for line in deploy.drift_lines(name, drift):
            display.warning(line, formatted=True)
        wanted: dict[str, Any] = {"files": site.files(site.host(name), overrides)}
        if stage := self._task.args.get("stage"):
            wanted |= {"root": stage, "credentials": "/etc/dss/credentials"}
        answer = self._execute_module(module_name="dss_tree", module_args=wanted, task_vars=task_vars)
        # The whole tree came back with the arguments; nobody wants to read it twice.
        answer.pop("invocation", None)
        return result | answer | {"drift": [vars(one) for one in drift]}
