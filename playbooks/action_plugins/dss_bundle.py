"""Bring the bundle's archive to a host, once, and unpack it there."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy
from services.runtime.errors import Problem

ARRIVAL = "/var/tmp/dss-bundle.tar"  # noqa: S108 - root's own name, checked by hash before use
REPOSITORY = "/var/lib/dss/bundle/repo"


class ActionModule(ActionBase):
    """No arguments. The result also holds what the packages step and the release record need."""

    TRANSFERS_FILES = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        host = site.host(task_vars["inventory_hostname"])
        version, date = deploy.release(site)
        found = self._module({"version": version}, task_vars)
        if found.get("failed") or found.get("unreachable"):
            return result | found
        try:
            archive, sha256 = deploy.archive(site, found["debian"])
        except Problem as problem:
            return result | {"failed": True, "msg": str(problem)}
        result |= {
            "changed": found["have"] != sha256,
            "repository": REPOSITORY,
            "version": version,
            "date": date,
            "packages": site.packages(host),
            "agreement": deploy.AGREEMENT,
            "accepted_by": host.get("dss_accepted_by") or f"the inventory of {site.topology.site}",
        }
        if not result["changed"] or self._task.check_mode:
            return result
        self._transfer_file(str(archive), ARRIVAL)
        ours = [u for units in site.units(host).values() for u in units if u.startswith("dss-")]
        wanted = {"version": version, "sha256": sha256, "units": ours, "archive": ARRIVAL}
        return result | self._module(wanted, task_vars)

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="dss_bundle", module_args=args, task_vars=task_vars
        )
        return answer
