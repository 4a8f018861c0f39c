"""Bring one router to the inventory: a Linux router by modules, others by their command line over SSH."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer, display, fell
from services.ports import ssh_port
from services.router import nftables
from services.router.cli import RouterError, settle
from services.router.mapping import Dmz
from services.router.report import listing
from services.router.ssh import Connection, Login
from services.router.vendors import VENDORS
from services.runtime.errors import Problem


class ActionModule(Action):
    """No arguments; everything comes from the inventory. Honours check and diff."""

    REFUSALS = (Problem, RouterError)

    def work(self) -> Answer:
        site = self.site()
        router = site.host(self.host_name)
        if router.vars.get("dss_dmz") is None:
            return {"changed": False, "msg": "dss_dmz is not given; the router is left untouched."}
        dmz = site.dmz(router)
        display.display(listing(dmz))
        if dmz.vendor == "nftables":
            return self._linux(dmz)
        if VENDORS[dmz.vendor].dialect is None:
            return {"changed": False, "msg": by_hand(dmz)}
        return self._command_line(dmz)

    def _linux(self, dmz: Dmz) -> Answer:
        """Files first and then the rules; the other way round when they go."""
        files = {path: vars(file) for path, file in nftables.tree(dmz).items()}
        wish = {"mark": nftables.mark(dmz) if files else "", "tag": dmz.tag}
        tree = ("dss_tree", {"files": files})
        found: Answer = {"changed": False, "diff": []}
        for module, words in [tree, ("dss_dmz", wish)] if files else [("dss_dmz", wish), tree]:
            if found.get("untouched"):
                break
            answer = self.module(module, words)
            if fell(answer):
                return answer
            answer["changed"] |= found["changed"]
            answer["diff"] = [*found["diff"], *answer.get("diff", [])]
            found = answer
        return found

    def _command_line(self, dmz: Dmz) -> Answer:
        vendor = VENDORS[dmz.vendor]
        assert vendor.dialect
        assert vendor.wanted
        with Connection(self._login(dmz), dmz.vendor) as talk:
            outcome = settle(talk, vendor.dialect(dmz.tag), vendor.wanted(dmz), self._task.check_mode)
        diff = {"prepared": outcome.diff() + "\n"} if outcome.changed else []
        return {"changed": outcome.changed, "diff": diff}

    def _login(self, dmz: Dmz) -> Login:
        """Ansible's own variables, vaulted or not; nothing of them is kept in the inventory's model."""

        def given(name: str) -> str | None:
            value = self._templar.template(self.task_vars.get(name))
            return None if value is None else str(value)

        return Login(
            host=given("ansible_host") or dmz.router.address,
            port=ssh_port(dmz.router),
            user=given("ansible_user") or ("root" if dmz.vendor == "openwrt" else "admin"),
            password=given("ansible_password") or given("ansible_ssh_pass"),
            enable=given("ansible_become_password"),
            key_file=given("ansible_ssh_private_key_file"),
            host_key=dmz.router.get("dss_router_host_key"),
        )


def by_hand(dmz: Dmz) -> str:
    """What the integrator does for a router that is configured by files alone."""
    return (
        f"{dmz.router.name} is configured by its own pages: "
        f"./dss dmz -i INVENTORY --router {dmz.router.name} -c config.xml --out FOLDER "
        "writes a configuration to restore; see docs/guide/router.md."
    )
