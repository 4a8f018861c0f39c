"""Cisco IOS: static NAT entries, and a named access list that records which of them are ours."""

import re

from services.render_context import fill
from services.router.cli import Lines, RouterError, Talk
from services.router.mapping import Dmz, Mapping

SCRIPT, REMOVAL = "dmz-cisco.txt", "dmz-cisco-remove.txt"
NAT = re.compile(r"^ip nat inside source static (tcp|udp) (\S+) (\d+) (\S+) (\d+)( extendable)?\s*$")


def files(dmz: Dmz) -> dict[str, str]:
    """Name → text of the commands that make our entries."""
    lines = commands((), wanted(dmz), acl(dmz.tag))
    return {SCRIPT: fill("router/cisco.txt.j2", dmz=dmz, acl=acl(dmz.tag), lines=lines)}


def removal(dmz: Dmz) -> dict[str, str]:
    """Name → text of the commands that take them away."""
    lines = commands(wanted(dmz), (), acl(dmz.tag))
    return {REMOVAL: fill("router/cisco-remove.txt.j2", dmz=dmz, lines=lines)}


def acl(tag: str) -> str:
    """Name of the access list; IOS allows no colon in it."""
    return tag.replace(":", "-")


def wanted(dmz: Dmz) -> Lines:
    """NAT entries and lines of the access list, as the running configuration shows them."""
    return tuple(line for m in dmz.mappings for line in _lines(dmz, m))


def _lines(dmz: Dmz, m: Mapping) -> Lines:
    where = f"{m.proto} {m.lan} {m.port} {m.wan} {m.port}"
    return (
        f"ip nat inside source static {where} extendable",
        f" remark {dmz.tag} {where}",
        f" permit {m.proto} any host {m.wan} eq {m.port}",
    )


def commands(have: Lines, want: Lines, name: str) -> list[str]:
    """Configuration commands that lead from one state to the other.

    The record goes first and leaves last: an entry without its record would be nobody's after a power cut.
    """
    nat_have, nat_want = ([ln for ln in side if not ln.startswith(" ")] for side in (have, want))
    record = [ln for ln in want if ln.startswith(" ")]
    old = [ln for ln in have if ln.startswith(" ") and ln not in record]
    fresh = [ln for ln in record if ln not in have]
    lines = [f"ip access-list extended {name}", *fresh] if fresh else []
    lines += [f"no {ln}" for ln in nat_have if ln not in nat_want]
    lines += [ln for ln in nat_want if ln not in nat_have]
    if have and not want:
        return [*lines, f"no ip access-list extended {name}"]
    return [*lines, f"ip access-list extended {name}", *(f" no{ln}" for ln in old)] if old else lines


class Cisco:
    """Over SSH, in one interactive session, as IOS wants it."""

    def __init__(self, tag: str) -> None:
        self.tag, self.acl = tag, acl(tag)

    def have(self, talk: Talk) -> Lines:
        """Our access list, and the NAT entries that its remarks name."""
        record = [
            re.sub(r"^ (\d+ )?", " ", line.rstrip())
            for line in talk.ask(
                f"show running-config | section ip access-list extended {self.acl}"
            ).splitlines()
            if re.match(r"^ (\d+ )?(remark|permit) ", line)
        ]
        ours = {line.partition(f"remark {self.tag} ")[2] for line in record}
        entries = [NAT.match(line) for line in self._entries(talk)]
        mine = [found for found in entries if found and " ".join(found.groups()[:5]) in ours]
        lines = [f"ip nat inside source static {' '.join(f.groups()[:5])} extendable" for f in mine]
        return (*lines, *record)

    def change(self, talk: Talk, have: Lines, want: Lines) -> None:
        """Refuses before the first command when the port is already mapped by an entry that is not ours."""
        for line in self._entries(talk):
            if (found := NAT.match(line)) and f"{line.strip()}" not in have:
                self._refuse_foreign(found, line, have, want)
        talk.ask("configure terminal")
        try:
            for command in commands(have, want, self.acl):
                talk.ask(command)
        finally:
            talk.ask("end")

    def _refuse_foreign(self, found: re.Match[str], line: str, have: Lines, want: Lines) -> None:
        outside = (found[1], found[4], found[5])
        for wish in want:
            other = NAT.match(wish)
            if other and wish not in have and outside == (other[1], other[4], other[5]):
                raise RouterError(
                    f"The router already maps {found[4]}:{found[5]}/{found[1]} by `{line.strip()}`.",
                    "That entry is not ours, so it is left alone.",
                    "Remove it on the router, or give the service another number by dss_ports.",
                )

    def _entries(self, talk: Talk) -> list[str]:
        return talk.ask("show running-config | include ip nat inside source static").splitlines()

    def keep(self, talk: Talk) -> None:
        """Save the running configuration; without this a reboot would undo it."""
        talk.ask("write memory")
