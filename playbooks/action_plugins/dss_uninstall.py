"""Uninstall a host as its inventory describes it; data only when that is asked for and confirmed by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer
from services import deploy


class ActionModule(Action):
    """Arguments: purge (bool), confirmed (the site's name as it was typed)."""

    def work(self) -> Answer:
        args = self.args
        site = self.site()
        host = site.host(self.host_name)
        purge = bool(args.get("purge"))
        if purge:
            deploy.need_confirmation(site, str(args.get("confirmed") or ""))
        wanted = {"install_path": host.install_path, "purge": purge}
        return self.module("dss_uninstall", wanted)
