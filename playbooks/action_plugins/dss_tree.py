"""Render a host's whole tree on the controller and hand it to the module of the same name, in one task."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy


class ActionModule(ActionBase):
    """Arguments: stage, a folder to write to instead of the host itself. Honours check and diff."""

    TRANSFERS_FILES = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        files = site.files(site.host(task_vars["inventory_hostname"]))
        wanted: dict[str, Any] = {"files": files}
        if stage := self._task.args.get("stage"):
            wanted |= {"root": stage, "credentials": "/etc/dss/credentials"}
        answer = self._execute_module(module_name="dss_tree", module_args=wanted, task_vars=task_vars)
        # The whole tree came back with the arguments; nobody wants to read it twice.
        answer.pop("invocation", None)
        return result | answer
