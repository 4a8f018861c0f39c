"""Read from a host what was changed on it at run time and is not in the inventory."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy
from services.runtime.errors import Problem


class ActionModule(ActionBase):
    """No arguments; the answer's `drift` has path, value and inventory of each difference."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        host = site.host(task_vars["inventory_hostname"])
        try:
            drift = site.drift(host, deploy.overrides_of(self._low_level_execute_command))
        except Problem as problem:
            return result | {"failed": True, "msg": str(problem)}
        return result | {"changed": False, "drift": [asdict(one) for one in drift]}
