"""OpenWrt's `uci` and firewall4, as far as port forwards go: uci takes any option, the firewall is strict."""

import re

from router_server import Commands

SECTION = r"firewall\.(?P<name>[^.= ]+)"
SET_TYPE = re.compile(rf"set {SECTION}=(?P<type>[a-z]+)")
SET_OPTION = re.compile(rf"set {SECTION}\.(?P<option>[^.= ]+)='(?P<value>[^'\n]*)'")
DELETE = re.compile(rf"delete {SECTION}")
NAME = re.compile(r"[A-Za-z0-9_]+")
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
ZONES = ("*", "lan", "wan")

Sections = dict[str, dict[str, str]]


class OpenWrt(Commands):
    """Sections with their options: `staged` as `uci` shows, `saved` as it wrote, `running` as loaded."""

    def __init__(self) -> None:
        self.saved: Sections = {
            "defaults": {"": "defaults", "input": "REJECT", "forward": "REJECT"},
            "theirs": {"": "redirect", "name": "Web server", "src": "wan", "src_dport": "8088",
                       "proto": "tcp", "dest_ip": "192.168.1.9", "target": "DNAT"},
        }  # fmt: skip
        self.staged = _copy(self.saved)
        self.running = _copy(self.saved)
        self.refuse = ""
        self.broken = ""

    def execute(self, command: str, text: str) -> tuple[str, int]:
        if command == "uci show firewall":
            return self.show(), 0
        if command == "uci changes firewall":
            changed = {*self.staged} ^ {*self.saved}
            changed |= {n for n in {*self.staged} & {*self.saved} if self.staged[n] != self.saved[n]}
            return "".join(f"firewall.{name}\n" for name in sorted(changed)), 0
        if command == "uci batch":
            # It goes on after a line that it refuses, and its exit code is 0 all the same.
            return "".join(self.line(line) for line in text.splitlines()), 0
        if command == "uci commit firewall":
            self.saved = _copy(self.staged)
            return "", 0
        if command == "uci revert firewall":
            self.staged = _copy(self.saved)
            return "", 0
        if command.startswith("uci "):
            said = self.line(command.removeprefix("uci "))
            return said, int(bool(said))
        if command == "/etc/init.d/firewall reload":
            return self.reload(), 0
        return f"ash: {command}: not found\n", 127

    def reload(self) -> str:
        """What firewall4 says; sections with mistakes are left out, and its exit code is 0 all the same."""
        said = {name: _mistakes(name, options) for name, options in self.saved.items()}
        if self.broken:
            return f"/etc/nftables.d/own.nft:1:1-9: Error: {self.broken}\n"
        self.running = _copy({name: options for name, options in self.saved.items() if not said[name]})
        return "".join(said.values())

    def show(self) -> str:
        lines = [
            f"firewall.{name}.{option}='{value}'" if option else f"firewall.{name}={value}"
            for name, options in self.staged.items()
            for option, value in options.items()
        ]
        return "\n".join(lines) + "\n"

    def line(self, line: str) -> str:
        """What `uci` says to one command; it knows nothing of what options mean."""
        if self.refuse and self.refuse in line:
            return "uci: I/O error\n"
        found = SET_OPTION.fullmatch(line) or SET_TYPE.fullmatch(line) or DELETE.fullmatch(line)
        if not found:
            return "Unknown command\n"
        names = found.groupdict()
        section = self.staged.get(names["name"])
        if not all(NAME.fullmatch(names.get(key, "x")) for key in ("name", "option")):
            return "uci: Invalid argument\n"
        if "type" in names:
            self.staged[names["name"]] = {**(section or {}), "": names["type"]}
        elif "option" in names and section is None:
            return "uci: Invalid argument\n"
        elif section is None:
            return "uci: Entry not found\n"
        elif "option" not in names:
            del self.staged[names["name"]]
        elif names["value"]:
            section[names["option"]] = names["value"]
        else:
            section.pop(names["option"], None)
        return ""

    def file(self) -> str:
        """/etc/config/firewall as it was saved."""
        lines = []
        for name, options in self.saved.items():
            lines.append(f"config {options['']} '{name}'")
            lines += [f"\toption {option} '{value}'" for option, value in options.items() if option]
            lines.append("")
        return "\n".join(lines)


def _copy(sections: Sections) -> Sections:
    return {name: dict(options) for name, options in sections.items()}


def _mistakes(name: str, options: dict[str, str]) -> str:
    """Warnings of firewall4 about a port forward."""
    title = f"[!] Section {name} ({options.get('name', '')})"
    said = ""
    for option, value in options.items() if options[""] == "redirect" else ():
        if option and option not in REDIRECT:
            said += f"{title} specifies unknown option '{option}'\n"
        elif option and (
            not re.fullmatch(REDIRECT[option], value) or (option in ("src", "dest") and value not in ZONES)
        ):
            said += f"{title} option '{option}' specifies invalid value '{value}'\n"
            said += f"{title} skipped due to invalid options\n"
    return said
