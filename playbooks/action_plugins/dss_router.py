"""Bring one router to the inventory: a Linux router by modules, others by their command line over SSH."""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services import deploy
from services.ports import ssh_port
from services.router import nftables
from services.router.cli import RouterError, settle
from services.router.mapping import Dmz
from services.router.report import listing
from services.router.ssh import Connection, Login
from services.router.vendors import VENDORS

display = Display()
Answer = dict[str, Any]


class ActionModule(ActionBase):
    """No arguments; everything comes from the inventory. Honours check and diff."""

    TRANSFERS_FILES = False

    def run(self, tmp: None = None, task_vars: Answer | None = None) -> Answer:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        site = deploy.load(task_vars["ansible_inventory_sources"], load_extra_vars(self._loader))
        router = site.host(task_vars["inventory_hostname"])
        if router.vars.get("dss_dmz") is None:
            return result | {"changed": False, "msg": "dss_dmz is not given; the router is left untouched."}
        dmz = site.dmz(router)
        display.display(listing(dmz))
        if dmz.vendor == "nftables":
            return result | self._linux(dmz, task_vars)
        if VENDORS[dmz.vendor].dialect is None:
            return result | {"changed": False, "msg": by_hand(dmz)}
        return result | self._command_line(dmz, task_vars)

    def _linux(self, dmz: Dmz, task_vars: Answer) -> Answer:
        """Files first and then the rules; the other way round when they go."""
        files = {path: vars(file) for path, file in nftables.tree(dmz).items()}
        wish = {"mark": nftables.mark(dmz) if files else "", "tag": dmz.tag}
        tree = ("dss_tree", {"files": files})
        found: Answer = {"changed": False, "diff": []}
        for module, words in [tree, ("dss_dmz", wish)] if files else [("dss_dmz", wish), tree]:
            if found.get("untouched"):
                break
            answer = self._execute_module(module_name=module, module_args=words, task_vars=task_vars)
            answer.pop("invocation", None)
            if answer.get("failed") or answer.get("unreachable"):
                return answer
            answer["changed"] |= found["changed"]
            answer["diff"] = [*found["diff"], *answer.get("diff", [])]
            found = answer
        return found

    def _command_line(self, dmz: Dmz, task_vars: Answer) -> Answer:
        vendor = VENDORS[dmz.vendor]
        assert vendor.dialect
        assert vendor.wanted
        try:
            with Connection(self._login(dmz, task_vars), dmz.vendor) as talk:
                outcome = settle(talk, vendor.dialect(dmz.tag), vendor.wanted(dmz), self._task.check_mode)
        except RouterError as problem:
            return {"failed": True, "msg": str(problem)}
        diff = {"prepared": outcome.diff() + "\n"} if outcome.changed else []
        return {"changed": outcome.changed, "diff": diff}

    def _login(self, dmz: Dmz, task_vars: Answer) -> Login:
        """Ansible's own variables, vaulted or not; nothing of them is kept in the inventory's model."""

        def given(name: str) -> str | None:
            value = self._templar.template(task_vars.get(name))
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
