"""Print what `dss verify` found on all nodes; fail, with log lines, when a node is not as deployed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, display


class ActionModule(Action):
    """Arguments: results, {name: result of `dss verify --json`}."""

    _requires_connection = False

    def work(self) -> Answer:
        found = {host: one["checks"] for host, one in self.args["results"].items() if "checks" in one}
        rows = [(host, c) for host, checks in found.items() for c in checks]
        lines = [
            f"{host:16} {'ok' if c['ok'] else 'WRONG':6} {c['what']:26} {c['reason']}".rstrip()
            for host, c in rows
        ]
        wrong = [(host, c) for host, c in rows if not c["ok"]]
        logs = [
            f"\n--- {host} {c['what']}: last log lines\n{c['log'].rstrip()}" for host, c in wrong if c["log"]
        ]
        display.display("\n".join(["", *lines, *logs, ""]))
        if wrong:
            what = "; ".join(f"{host}: {c['what']} {c['reason']}" for host, c in wrong)
            remedy = (
                "Look at the log lines above (`dss logs ID` on the node shows more), then run site.yml again."
            )
            return {"failed": True, "msg": f"Not as deployed: {what}. {remedy}"}
        return {"changed": False}
