"""Open a backup on the controller, where the private key is, and bring its content to its node."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer
from services import deploy, sealed, version
from services.cli import backup
from services.cli.verb import CannotError
from services.runtime.errors import Problem

ARRIVAL, DATA = "/var/lib/dss/restore.tar", "/etc/dss/release.json"


class ActionModule(Action):
    """Arguments: file, key, confirmed (the site's name), transfer (bool). Result: `mine`, for this host."""

    TRANSFERS_FILES = True
    REFUSALS = (Problem, CannotError, OSError)

    def work(self) -> Answer:
        site = self.site()
        with tempfile.TemporaryDirectory(prefix="dss-restore-") as place:
            plain = Path(place) / "plain"
            header = self._opened(plain)
            mine = header["node"] == self.host_name
            if mine:
                self._fits(site, header)
            if mine and self.args.get("transfer"):
                self._bring(plain)
        return {"changed": bool(mine and self.args.get("transfer")), "mine": mine}

    def _opened(self, plain: Path) -> Answer:
        args = self.args
        if not args.get("file"):
            raise Problem(
                "no-backup",
                "No backup was named; nothing has been changed on any host.",
                "dss_backup is empty.",
                "Add -e dss_backup=FILE to the command.",
            )
        key = backup.private_key(Path(args.get("key") or backup.default_key()).expanduser())
        return sealed.unseal(Path(args["file"]).expanduser(), key, plain)

    def _fits(self, site: deploy.Site, header: Answer) -> None:
        if version.parse(header["version"]) > version.parse(version.own()):
            raise Problem(
                "newer-backup",
                f"The backup was made by release {header['version']}; nothing has been changed on any host.",
                f"These playbooks are of {version.own()}, which cannot read the data of a newer one.",
                f"Use playbooks and bundle of {header['version']} or newer.",
            )
        there = self._low_level_execute_command(f"test -e {DATA}")["rc"] == 0
        if there and not self.args.get("transfer"):
            deploy.need_confirmation(site, str(self.args.get("confirmed") or ""))

    def _bring(self, plain: Path) -> None:
        """Into a folder of root's alone: /var/lib/dss is readable, the content is not meant to be."""
        self._low_level_execute_command(f"install -m 0600 /dev/null {ARRIVAL}")
        self._transfer_file(str(plain), ARRIVAL)
