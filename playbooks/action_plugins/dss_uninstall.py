"""Uninstall a host as its inventory describes it; data only when that is asked for and confirmed by name."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy
from services.runtime.errors import Problem


class ActionModule(ActionBase):
    """Arguments: purge (bool), confirmed (the site's name as it was typed)."""

    TRANSFERS_FILES = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        args = self._task.args
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        host = site.host(task_vars["inventory_hostname"])
        purge = bool(args.get("purge"))
        try:
            if purge:
                deploy.need_confirmation(site, str(args.get("confirmed") or ""))
        except Problem as problem:
            return result | {"failed": True, "msg": str(problem)}
        wanted = {"install_path": host.install_path, "purge": purge}
        answer = self._execute_module(module_name="dss_uninstall", module_args=wanted, task_vars=task_vars)
        answer.pop("invocation", None)
        return result | answer
