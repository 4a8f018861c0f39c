#!/usr/bin/python
"""Load the port mapping of a Linux router, or take it away; the files are brought by dss_tree."""

import os
import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: dss_dmz
short_description: Make the loaded port mapping of a router the wanted one
description:
  - Loads the table when its comment is not I(mark), switches forwarding on, and lets the unit start at boot.
  - With an empty I(mark), takes the table and the unit away. A table of another site is never touched.
options:
  mark:
    description: Comment of the wanted table, or nothing.
    type: str
    required: true
  tag:
    description: Start of the comment of every table of this site.
    type: str
    required: true
author: DSS
"""

EXAMPLES = r"""
- name: Load the rules
  dss_dmz: {mark: "dss:city-hall 0123456789ab", tag: "dss:city-hall"}
"""

RETURN = r"""
untouched:
  description: Nothing was wanted and nothing of ours was ever here.
  type: bool
  returned: always
"""

UNIT, RULES, FORWARD = "dss-dmz.service", "/etc/dss/dmz.nft", "/proc/sys/net/ipv4/ip_forward"
PENDING, SYSCTL = "/var/lib/dss/pending/dss-dmz.service", "/etc/sysctl.d/60-dss-dmz.conf"


class DmzError(Exception):
    """The rules cannot be loaded; the text says why and what to do."""


class Mapping:
    """The mapping as it is on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.tag: str = module.params["tag"]
        if not module.get_bin_path("nft", opt_dirs=["/usr/sbin"]):
            raise DmzError("nftables is not installed on this router. Install Debian's package nftables.")

    def run(self, *words: str) -> str:
        code, out, error = self.module.run_command(list(words))
        if code:
            raise DmzError(f"{' '.join(words)} failed: {(error or out).strip()}")
        return str(out)

    def loaded(self) -> str:
        """Comment of the loaded table; empty when there is none. DmzError when another site owns it."""
        code, out, _ = self.module.run_command(["nft", "list", "table", "inet", "dss_dmz"])
        found = re.search(r'^\tcomment "([^"]*)"', out, re.MULTILINE)
        comment = found[1] if found else ""
        if not code and not comment.startswith(f"{self.tag} "):
            raise DmzError(
                f"The table dss_dmz on this router belongs to {comment or 'somebody else'}, "
                f"not to {self.tag}; it was left alone. "
                "Remove it there first, or give this site a router of its own."
            )
        return comment

    def settled(self, mark: str) -> bool:
        """Whether the table is loaded, stays after a reboot, and packets are forwarded."""
        with open(FORWARD) as stream:
            forwarding = stream.read().strip() == "1"
        code, _, _ = self.module.run_command(["systemctl", "is-enabled", "--quiet", UNIT])
        active, _, _ = self.module.run_command(["systemctl", "is-active", "--quiet", UNIT])
        owed = os.path.exists(PENDING)
        return self.loaded() == mark and forwarding and not code and not active and not owed

    def load(self, mark: str) -> None:
        self.run("nft", "-c", "-f", RULES)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "enable", UNIT)
        # A reload replaces the table in one step; a restart would leave a moment without rules.
        self.run("systemctl", "reload-or-restart", UNIT)
        # Only now: whoever forwards before the rules are there lets everybody in.
        self.run("sysctl", "-q", "-p", SYSCTL)
        if os.path.exists(PENDING):
            os.unlink(PENDING)
        if not self.settled(mark):
            raise DmzError(
                f"The rules were loaded, but are not there. See `systemctl status {UNIT}`; another firewall "
                "that empties all tables may run on this router."
            )

    def present(self) -> bool:
        """Whether anything of ours is here."""
        return bool(self.loaded()) or os.path.exists(RULES)

    def unload(self) -> None:
        self.module.run_command(["systemctl", "disable", "--now", UNIT])
        if self.loaded():
            self.run("nft", "delete", "table", "inet", "dss_dmz")


def main() -> None:
    words = {"mark": {"type": "str", "required": True}, "tag": {"type": "str", "required": True}}
    module = AnsibleModule(argument_spec=words, supports_check_mode=True)
    mark, changed, untouched = module.params["mark"], False, False
    try:
        mapping = Mapping(module)
        if mark:
            changed = not mapping.settled(mark)
            if changed and not module.check_mode:
                mapping.load(mark)
        else:
            changed = mapping.present()
            untouched = not changed
            if changed and not module.check_mode:
                mapping.unload()
    except (DmzError, OSError) as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=changed, untouched=untouched, diff=[])


if __name__ == "__main__":
    main()
