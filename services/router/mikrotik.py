"""MikroTik RouterOS 7: NAT and filter rules, found again by their comments."""

import re
from collections.abc import Iterator

from services.render_context import fill
from services.router.cli import Lines, Talk
from services.router.mapping import Dmz

SCRIPT, REMOVAL = "dmz-mikrotik.rsc", "dmz-mikrotik-remove.rsc"
MENUS = ("nat", "filter", "address-list")
PAIR = re.compile(r'([a-z][a-z0-9-]*)=("[^"]*"|\S*)')
KEYS = {
    "nat": (
        "chain action protocol src-address-list dst-address dst-port to-addresses to-ports comment".split()  # noqa: SIM905
    ),
    "filter": "chain action protocol connection-nat-state dst-address dst-port comment".split(),  # noqa: SIM905
    "address-list": ["list", "address", "comment"],
}
"""What we set, in this order; a rule is compared by nothing else."""


def files(dmz: Dmz) -> dict[str, str]:
    """Name → text of the script that replaces our rules."""
    lines = [add(line) for line in wanted(dmz)]
    text = fill("router/mikrotik.rsc.j2", dmz=dmz, name=SCRIPT, lines=lines, removal=_removal(dmz))
    return {SCRIPT: text}


def removal(dmz: Dmz) -> dict[str, str]:
    """Name → text of the script that takes our rules away."""
    return {REMOVAL: fill("router/mikrotik-remove.rsc.j2", dmz=dmz, name=REMOVAL, removal=_removal(dmz))}


def _removal(dmz: Dmz) -> list[str]:
    return [f'/ip firewall {menu} remove [find comment~"^{dmz.tag}/"]' for menu in MENUS]


def wanted(dmz: Dmz) -> Lines:
    """`menu key=value …`, one line a rule, keys in the order of KEYS."""
    return tuple(sorted(_rules(dmz)))


def _rules(dmz: Dmz) -> Iterator[str]:
    for network in dmz.networks if dmz.mappings else ():
        yield f"address-list list={dmz.tag} address={network} comment={dmz.tag}/local/{network}"
    for m in dmz.mappings:
        yield (
            f"nat chain=dstnat action=dst-nat protocol={m.proto} dst-address={m.wan} dst-port={m.port} "
            f"to-addresses={m.lan} to-ports={m.port} comment={dmz.comment(m)}"
        )
        yield (
            f"nat chain=srcnat action=src-nat protocol={m.proto} src-address-list={dmz.tag} "
            f"dst-address={m.lan} dst-port={m.port} to-addresses={dmz.router.address} "
            f"comment={dmz.comment(m, 'hairpin')}"
        )
        yield (
            f"filter chain=forward action=accept protocol={m.proto} connection-nat-state=dstnat "
            f"dst-address={m.lan} dst-port={m.port} comment={dmz.comment(m, 'forward')}"
        )


def add(line: str) -> str:
    """The command that makes a rule. A filter rule goes first: behind a drop it would do nothing."""
    menu, _, pairs = line.partition(" ")
    text = PAIR.sub(lambda found: f'comment="{found[2]}"' if found[1] == "comment" else found[0], pairs)
    if menu != "filter":
        return f"/ip firewall {menu} add {text}"
    first = "[:pick [/ip firewall filter find chain=forward dynamic=no] 0]"
    return (
        f":do {{ /ip firewall filter add {text} place-before={first} }} "
        f"on-error={{ /ip firewall filter add {text} }}"
    )


def remove(line: str) -> str:
    """The command that takes away the rule of a line."""
    menu, _, pairs = line.partition(" ")
    return f'/ip firewall {menu} remove [find comment="{dict(PAIR.findall(pairs))["comment"]}"]'


class MikroTik:
    """Over SSH, one command a channel. RouterOS keeps every change at once."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def have(self, talk: Talk) -> Lines:
        """Our rules on the device."""
        return tuple(sorted(line for menu in MENUS for line in self._rules(talk, menu)))

    def _rules(self, talk: Talk, menu: str) -> Iterator[str]:
        shown = talk.run(f'/ip firewall {menu} print terse without-paging where comment~"^{self.tag}/"')
        for line in shown.splitlines():
            pairs = {key: value.strip('"') for key, value in PAIR.findall(line)}
            if pairs.get("comment", "").startswith(f"{self.tag}/"):
                yield " ".join([menu, *(f"{k}={pairs[k]}" for k in KEYS[menu] if k in pairs)])

    def change(self, talk: Talk, have: Lines, want: Lines) -> None:
        """Take away what is no longer wanted, then add what is missing."""
        for line in have:
            if line not in want:
                talk.run(remove(line))
        for line in want:
            if line not in have:
                talk.run(add(line))

    def keep(self, talk: Talk) -> None:
        """Nothing to do."""
