"""Measure a host and compare it with the requirements; the judgement stays with the host for dss_report."""

import sys
import time
from dataclasses import astuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, fell
from services import networks, preflight, version


class ActionModule(Action):
    """Arguments: upgrade (bool), whether this release is to follow the one before."""

    def work(self) -> Answer:
        site = self.site()
        host = site.host(self.host_name)
        wanted = {
            "install_path": host.install_path,
            "picture_paths": host.get("dss_picture_paths"),
            "address": host.at("management"),
            "networks": networks.on_host(host.networks),
            "ports": site.listeners(host),
            "units": [unit for units in site.units(host).values() for unit in units],
        }
        before = time.time()
        answer = self.module("dss_preflight", wanted)
        if fell(answer):
            return answer
        found = answer["measured"]
        fits = version.need_next if self.args.get("upgrade") else version.need_same
        fits(found["release"], version.own())
        # The host answered somewhere in between; what may be the way there and back is no difference.
        found["skew"] = max(before - found["now"], found["now"] - time.time(), 0.0)
        found["allowed"] = preflight.allowed(host)
        limits = preflight.LAB if host.get("dss_lab_limits") else preflight.PRODUCT
        rows = preflight.judge(host.name, found, limits)
        return {
            "changed": False,
            "rows": [astuple(row) for row in rows],
            "lab": limits is preflight.LAB,
        }
