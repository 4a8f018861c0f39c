"""The part of RouterOS 7 that has to do with NAT, filter rules and address lists, strictly."""

import re

from router_server import Commands

ADDRESS, PORT = r"\d{1,3}(\.\d{1,3}){3}(/\d{1,2})?", r"\d{1,5}(-\d{1,5})?"
COMMON = {
    "protocol": r"tcp|udp|icmp",
    "src-address": ADDRESS,
    "dst-address": ADDRESS,
    "dst-port": PORT,
    "src-address-list": r"\S+",
    "comment": r".*",
    "disabled": r"yes|no",
}
PROPERTIES = {
    "nat": COMMON
    | {
        "chain": r"dstnat|srcnat",
        "action": r"dst-nat|src-nat|masquerade|accept",
        "to-addresses": ADDRESS,
        "to-ports": PORT,
    },
    "filter": COMMON
    | {
        "chain": r"forward|input|output",
        "action": r"accept|drop|reject",
        "connection-nat-state": r"!?(dstnat|srcnat)",
        "connection-state": r"[a-z,]+",
        "in-interface-list": r"\S+",
    },
    "address-list": {"list": r"\S+", "address": ADDRESS, "comment": r".*", "disabled": r"yes|no"},
}
COMMAND = re.compile(r"/ip firewall (nat|filter|address-list) (add|remove|print) ?(.*)")
PAIR = re.compile(r'([a-z-]+)=("([^"]*)"|\[:pick \[([^\]]*)\] 0\]|[^\s"]+)(?:\s+|$)')
FIND = re.compile(r'\[find comment(=|~)"([^"]*)"\]')
TRY = re.compile(r":do \{ (.*) \} on-error=\{ (.*) \}")
FIRST = "/ip firewall filter find chain=forward dynamic=no"
Rule = dict[str, str]


class MikroTik(Commands):
    """Lists of rules by menu; the first ones are the owner's."""

    def __init__(self) -> None:
        self.rules: dict[str, list[Rule]] = {
            "nat": [{"chain": "srcnat", "action": "masquerade", "comment": "defconf: masquerade"}],
            "filter": [
                {
                    "chain": "forward",
                    "action": "drop",
                    "connection-nat-state": "!dstnat",
                    "comment": "defconf",
                }
            ],
            "address-list": [],
        }
        self.refuse = ""

    def execute(self, command: str, text: str) -> tuple[str, int]:
        said = self.command(command)
        return said, int(bool(said) and " print " not in command)

    def script(self, text: str) -> str:
        """What `/import` of a file says; nothing when all of it is right."""
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return "".join(self.command(line) for line in lines)

    def command(self, command: str) -> str:
        if found := TRY.fullmatch(command):
            return self.command(found[2]) if self.command(found[1]) else ""
        if self.refuse and self.refuse in command:
            return "failure: not allowed by device-mode\n"
        found = COMMAND.fullmatch(command)
        if not found:
            return "bad command name (line 1 column 1)\n"
        menu, verb, rest = found.groups()
        if verb == "print":
            return self.show(menu, rest)
        return self.remove(menu, rest) if verb == "remove" else self.add(menu, rest)

    def show(self, menu: str, rest: str) -> str:
        found = re.fullmatch(r'terse without-paging where comment~"([^"]*)"', rest)
        if not found:
            return "syntax error (line 1 column 30)\n"
        lines = []
        for number, rule in enumerate(self.rules[menu]):
            if re.search(found[1], rule.get("comment", "")):
                # The device shows what was never set, and in its own order.
                shown = {
                    "comment": rule["comment"],
                    **rule,
                    **({"log": "no"} if menu != "address-list" else {}),
                }
                lines.append(f" {number}    " + " ".join(f"{key}={value}" for key, value in shown.items()))
        return "\r\n".join(lines) + "\r\n"

    def remove(self, menu: str, rest: str) -> str:
        found = FIND.fullmatch(rest)
        if not found:
            return "expected end of command (line 1 column 30)\n"
        same, words = found.groups()
        gone = [
            rule
            for rule in self.rules[menu]
            if (rule.get("comment") == words if same == "=" else re.search(words, rule.get("comment", "")))
        ]
        self.rules[menu] = [rule for rule in self.rules[menu] if rule not in gone]
        return ""

    def add(self, menu: str, rest: str) -> str:
        if PAIR.sub("", rest).strip():
            return "syntax error (line 1 column 40)\n"
        rule, place = dict[str, str](), len(self.rules[menu])
        for key, whole, quoted, _, query in (m.group(1, 2, 3, 2, 4) for m in PAIR.finditer(rest)):
            if key == "place-before":
                first = [n for n, r in enumerate(self.rules[menu]) if r["chain"] == "forward"]
                if query != FIRST or not first:
                    return "no such item (4)\n"
                place = first[0]
                continue
            value = quoted if quoted is not None else whole
            if not re.fullmatch(PROPERTIES[menu].get(key, "(?!)"), value):
                return f"input does not match any value of {key}\n"
            rule[key] = value
        if wrong := self.odd(menu, rule):
            return f"failure: {wrong}\n"
        self.rules[menu].insert(place, rule)
        return ""

    def odd(self, menu: str, rule: Rule) -> str:
        """What RouterOS itself refuses in a rule that is well formed."""
        if "dst-port" in rule and rule.get("protocol") not in ("tcp", "udp"):
            return "ports can be specified if proto is tcp, udp, udp-lite, dccp, sctp"
        if rule.get("action") == "dst-nat" and rule.get("chain") != "dstnat":
            return "dst-nat action is allowed only in dstnat chain"
        if menu == "address-list" and rule in self.rules[menu]:
            return "already have such entry"
        return ""
