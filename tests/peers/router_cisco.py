"""The part of Cisco IOS that has to do with static NAT and named access lists, as it is typed."""

import re

from router_server import Terminal

ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
NAT = re.compile(
    rf"ip nat inside source static (tcp|udp) {ADDRESS} \d{{1,5}} ({ADDRESS}) (\d{{1,5}}) extendable"
)
ENTRY = re.compile(rf"remark .{{1,100}}|permit (tcp|udp) any host {ADDRESS} eq \d{{1,5}}")
ACL = re.compile(r"ip access-list extended ([A-Za-z][A-Za-z0-9_-]{0,63})")
INVALID = "          ^\n% Invalid input detected at '^' marker.\n\n"
ENABLE = "Enable.1357"


class Cisco(Terminal):
    """A router with NAT entries and access lists of its owner; it asks before it deletes an entry."""

    def __init__(self) -> None:
        self.nat = ["ip nat inside source static tcp 192.168.1.9 80 203.0.113.10 8088 extendable"]
        self.acl: dict[str, list[str]] = {"OUTSIDE-IN": ["permit tcp any host 203.0.113.10 eq 8088"]}
        self.startup = ""
        self.mode, self.list, self.asked = "user", "", ""
        self.refuse = ""

    def prompt(self) -> str:
        if self.asked:
            return ""
        ends = {"user": ">", "enable": "#", "config": "(config)#", "acl": "(config-ext-nacl)#"}
        return f"edge{ends[self.mode]}"

    def running(self) -> str:
        """The running configuration."""
        lines = ["hostname edge", "interface GigabitEthernet0/0", " ip nat outside",
                 "interface GigabitEthernet0/1", " ip nat inside", *self.nat]  # fmt: skip
        for name, entries in self.acl.items():
            lines += [f"ip access-list extended {name}", *(f" {entry}" for entry in entries)]
        return "\n".join([*lines, "end", ""])

    def typed(self, line: str) -> str:
        if self.asked:
            return self.answered(line)
        if self.refuse and self.refuse in line:
            return "% Resource unavailable\n"
        return {"user": self.user, "enable": self.enabled, "config": self.config, "acl": self.entry}[
            self.mode
        ](line)

    def answered(self, line: str) -> str:
        asked, self.asked = self.asked, ""
        if asked == "password":
            self.mode = "enable" if line == ENABLE else "user"
            return "" if line == ENABLE else "% Access denied\n"
        if line == "yes":
            self.nat.remove(asked)
        return ""

    def user(self, line: str) -> str:
        if line == "enable":
            self.asked = "password"
            return "Password: "
        return "" if line == "terminal length 0" else INVALID

    def enabled(self, line: str) -> str:
        if line == "terminal length 0" or not line:
            return ""
        if line == "configure terminal":
            self.mode = "config"
            return "Enter configuration commands, one per line.  End with CNTL/Z.\n"
        if line == "write memory":
            self.startup = self.running()
            return "Building configuration...\n[OK]\n"
        return self.show(line)

    def show(self, line: str) -> str:
        found = re.fullmatch(r"show running-config \| (include|section) (.+)", line)
        if not found:
            return INVALID
        shown, inside = [], False
        for one in self.running().splitlines():
            header = not one.startswith(" ")
            inside = bool(re.search(found[2], one)) if header else inside and found[1] == "section"
            if inside or re.search(found[2], one):
                shown.append(one)
        return "".join(f"{one}\n" for one in shown)

    def config(self, line: str) -> str:
        no, command = line.startswith("no "), line.removeprefix("no ")
        if line == "end":
            self.mode = "enable"
            return ""
        if found := ACL.fullmatch(command):
            return self.access_list(found[1], no)
        if found := NAT.fullmatch(command):
            return self.remove(command) if no else self.add(command, found)
        return INVALID

    def access_list(self, name: str, no: bool) -> str:
        if no:
            self.acl.pop(name, None)
        else:
            self.acl.setdefault(name, [])
            self.mode, self.list = "acl", name
        return ""

    def add(self, command: str, found: re.Match[str]) -> str:
        for one in self.nat:
            other = NAT.fullmatch(one)
            if other and other.groups() == found.groups() and one != command:
                return "% similar static entry (192.168.1.9 -> 203.0.113.10) already exists\n"
        if command not in self.nat:
            self.nat.append(command)
        return ""

    def remove(self, command: str) -> str:
        if command not in self.nat:
            return "%Translation not found\n"
        self.asked = command
        return "Static entry in use, do you want to delete child entries? [no]: "

    def entry(self, line: str) -> str:
        no, command = line.startswith("no "), line.removeprefix("no ")
        if not ENTRY.fullmatch(command):
            # Anything else leaves the list and is taken as a command of the mode above.
            self.mode = "config"
            return self.config(line)
        entries = self.acl[self.list]
        if no:
            if command not in entries:
                return "%Entry does not exist\n"
            entries.remove(command)
        elif command not in entries:
            entries.append(command)
        return ""
