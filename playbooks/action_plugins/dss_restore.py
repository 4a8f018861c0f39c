"""Open a backup on the controller, where the private key is, and bring its content to its node."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy, sealed, version
from services.cli import backup
from services.cli.verb import CannotError
from services.runtime.errors import Problem

ARRIVAL, DATA = "/var/lib/dss/restore.tar", "/etc/dss/release.json"


class ActionModule(ActionBase):
    """Arguments: file, key, confirmed (the site's name), transfer (bool). Result: `mine`, for this host."""

    TRANSFERS_FILES = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        name = task_vars["inventory_hostname"]
        try:
            with tempfile.TemporaryDirectory(prefix="dss-restore-") as place:
                plain = Path(place) / "plain"
                header = self._opened(plain)
                mine = header["node"] == name
                if mine:
                    self._fits(site, header)
                if mine and self._task.args.get("transfer"):
                    self._bring(plain)
        except (Problem, CannotError, OSError) as problem:
            return result | {"failed": True, "msg": str(problem)}
        return result | {"changed": bool(mine and self._task.args.get("transfer")), "mine": mine}

    def _opened(self, plain: Path) -> dict[str, Any]:
        args = self._task.args
        if not args.get("file"):
            raise Problem(
                "no-backup",
                "No backup was named; nothing has been changed on any host.",
                "dss_backup is empty.",
                "Add -e dss_backup=FILE to the command.",
            )
        key = backup.private_key(Path(args.get("key") or backup.default_key()).expanduser())
        return sealed.unseal(Path(args["file"]).expanduser(), key, plain)

    def _fits(self, site: deploy.Site, header: dict[str, Any]) -> None:
        if version.parse(header["version"]) > version.parse(version.own()):
            raise Problem(
                "newer-backup",
                f"The backup was made by release {header['version']}; nothing has been changed on any host.",
                f"These playbooks are of {version.own()}, which cannot read the data of a newer one.",
                f"Use playbooks and bundle of {header['version']} or newer.",
            )
        there = self._low_level_execute_command(f"test -e {DATA}")["rc"] == 0
        if there and not self._task.args.get("transfer"):
            deploy.need_confirmation(site, str(self._task.args.get("confirmed") or ""))

    def _bring(self, plain: Path) -> None:
        """Into a folder of root's alone: /var/lib/dss is readable, the content is not meant to be."""
        self._low_level_execute_command(f"install -m 0600 /dev/null {ARRIVAL}")
        self._transfer_file(str(plain), ARRIVAL)
