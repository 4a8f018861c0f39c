"""The part of OpenWrt's command line that has to do with its firewall: `uci`, strictly."""

import re

from router_server import Commands

SECTION = r"firewall\.(?P<name>[A-Za-z0-9_]+)"
SET_TYPE = re.compile(rf"set {SECTION}=(?P<type>[a-z]+)")
SET_OPTION = re.compile(rf"set {SECTION}\.(?P<option>[a-z_]+)='(?P<value>[^'\n]*)'")
DELETE = re.compile(rf"delete {SECTION}")
ADDRESS = r"\d{1,3}(\.\d{1,3}){3}"
PORT = r"\d{1,5}(-\d{1,5})?"
REDIRECT = {
    "name": r".+",
    "enabled": r"[01]",
    "family": r"ipv4|ipv6|any",
    "src": r"[a-z0-9_]+|\*",
    "src_dip": ADDRESS,
    "src_dport": PORT,
    "dest": r"[a-z0-9_]+|\*",
    "dest_ip": ADDRESS,
    "dest_port": PORT,
    "proto": r"tcp|udp|tcp udp",
    "target": r"DNAT|SNAT",
    "reflection": r"[01]",
    "reflection_src": r"internal|external",
}
"""Options of a port forward, as OpenWrt's documentation of the firewall lists them."""

Sections = dict[str, dict[str, str]]


class OpenWrt(Commands):
    """Sections with their options: `staged` as `uci` shows, `saved` as it wrote, `running` as loaded."""

    def __init__(self) -> None:
        self.saved: Sections = {
            "defaults": {"": "defaults", "input": "REJECT", "forward": "REJECT"},
            "theirs": {"": "redirect", "name": "Web server", "src": "wan", "src_dport": "8088",
                       "proto": "tcp", "dest_ip": "192.168.1.9", "target": "DNAT"},
        }  # fmt: skip
        self.staged = {name: dict(options) for name, options in self.saved.items()}
        self.running = {name: dict(options) for name, options in self.saved.items()}
        self.refuse = ""

    def execute(self, command: str, text: str) -> tuple[str, int]:
        if command == "uci show firewall":
            return self.show(), 0
        if command == "uci batch":
            said = "".join(self.line(line) for line in text.splitlines())
            return said, 0
        if command == "uci commit firewall":
            self.saved = {name: dict(options) for name, options in self.staged.items()}
            return "", 0
        if command == "/etc/init.d/firewall reload":
            self.running = {name: dict(options) for name, options in self.saved.items()}
            return "", 0
        return f"ash: {command}: not found\n", 127

    def show(self) -> str:
        lines = [
            f"firewall.{name}.{option}='{value}'" if option else f"firewall.{name}={value}"
            for name, options in self.staged.items()
            for option, value in options.items()
        ]
        return "\n".join(lines) + "\n"

    def line(self, line: str) -> str:
        if self.refuse and self.refuse in line:
            return "uci: I/O error\n"
        if found := SET_TYPE.fullmatch(line):
            self.staged[found["name"]] = {"": found["type"]}
        elif found := SET_OPTION.fullmatch(line):
            section = self.staged.get(found["name"])
            if section is None:
                return "uci: Invalid argument\n"
            if not re.fullmatch(REDIRECT.get(found["option"], "(?!)"), found["value"]):
                return f"uci: Invalid option {found['option']}\n"
            section[found["option"]] = found["value"]
        elif found := DELETE.fullmatch(line):
            if self.staged.pop(found["name"], None) is None:
                return "uci: Entry not found\n"
        else:
            return "uci: Parse error (invalid command)\n"
        return ""

    def file(self) -> str:
        """/etc/config/firewall as it was saved."""
        lines = []
        for name, options in self.saved.items():
            lines.append(f"config {options['']} '{name}'")
            lines += [f"\toption {option} '{value}'" for option, value in options.items() if option]
            lines.append("")
        return "\n".join(lines)
