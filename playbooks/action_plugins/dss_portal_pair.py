"""Read the customer's certificate and key of a host on the controller, as its inventory names them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer
from services import deploy


class ActionModule(Action):
    """No arguments; the answer's `pair` is {"certificate", "key"} as PEM, {} for a host without one."""

    _requires_connection = False
    _supports_check_mode = True

    def work(self) -> Answer:
        host = self.site().topology.hosts[self.host_name]
        if not host.get("dss_portal_certificate"):
            return {"changed": False, "pair": {}}
        certificate, key = deploy.portal_files(host, self.text)
        return {"changed": False, "pair": {"certificate": certificate, "key": key}}
