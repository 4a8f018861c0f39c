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


class ActionModule(ActionBase):
    """Arguments: debian, the host's release number."""

    TRANSFERS_FILES = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        host = site.host(task_vars["inventory_hostname"])
        try:
            archive, manifest = deploy.archive(site, str(self._task.args["debian"]))
        except Problem as problem:
            return result | {"failed": True, "msg": str(problem)}
        ours = [u for units in site.units(host).values() for u in units if u.startswith("dss-")]
        wanted = {"version": manifest.version, "sha256": manifest.files[archive.name].sha256, "units": ours}
        answer = self._execute_module(module_name="dss_bundle", module_args=wanted, task_vars=task_vars)
        if answer.get("present") is False and not self._task.check_mode:
            self._transfer_file(str(archive), ARRIVAL)
            wanted["archive"] = ARRIVAL
            answer = self._execute_module(module_name="dss_bundle", module_args=wanted, task_vars=task_vars)
        repository = "/var/lib/dss/bundle/repo"
        return (
            result
            | answer
            | {
                "repository": repository,
                "version": manifest.version,
                "date": manifest.date,
                "packages": site.packages(host),
                "agreement": deploy.AGREEMENT,
                "accepted_by": host.get("dss_accepted_by") or f"the inventory of {site.topology.site}",
            }
        )
