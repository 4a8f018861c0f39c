"""Measure a host and compare it with the requirements; the judgement stays with the host for dss_report."""

import sys
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy, preflight


class ActionModule(ActionBase):
    """No arguments; everything comes from the inventory."""

    TRANSFERS_FILES = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        host = site.host(task_vars["inventory_hostname"])
        wanted = {
            "install_path": host.install_path,
            "picture_paths": host.get("dss_picture_paths"),
            "address": host.address,
            "ports": site.listeners(host),
            "units": [unit for units in site.units(host).values() for unit in units],
        }
        before = time.time()
        answer = self._execute_module(module_name="dss_preflight", module_args=wanted, task_vars=task_vars)
        if answer.get("failed") or answer.get("unreachable"):
            return result | answer
        found = answer["measured"]
        # The host answered somewhere in between; what may be the way there and back is no difference.
        found["skew"] = max(before - found["now"], found["now"] - time.time(), 0.0)
        limits = preflight.LAB if host.get("dss_lab_limits") else preflight.PRODUCT
        rows = preflight.judge(host.name, found, limits)
        return result | {
            "changed": False,
            "rows": [astuple(row) for row in rows],
            "lab": limits is preflight.LAB,
        }
