"""OpenWrt: named `redirect` sections of the firewall; its own reflection does the hairpin."""

import re
from collections.abc import Iterator

from services.render_context import fill
from services.router.cli import Lines, RouterError, Talk
from services.router.mapping import Dmz, Mapping

SCRIPT, REMOVAL = "dmz-openwrt.sh", "dmz-openwrt-remove.sh"


def files(dmz: Dmz) -> dict[str, str]:
    """Name → text of the script that replaces our sections."""
    return {
        SCRIPT: fill(
            "router/openwrt.sh.j2",
            dmz=dmz,
            prefix=prefix(dmz.tag),
            name=SCRIPT,
            removal=REMOVAL,
            lines=list(_set(wanted(dmz))),
        )
    }


def removal(dmz: Dmz) -> dict[str, str]:
    """Name → text of the script that takes our sections away."""
    return {
        REMOVAL: fill("router/openwrt-remove.sh.j2", dmz=dmz, prefix=prefix(dmz.tag), name=REMOVAL),
    }


def prefix(tag: str) -> str:
    """Start of the names of our sections; UCI allows letters, digits and '_' only."""
    return re.sub(r"[^a-z0-9]", "_", tag) + "__"


def wanted(dmz: Dmz) -> Lines:
    """`section.option=value` of every option, one block a section, as the device lists them."""
    return tuple(sorted(line for m in dmz.mappings for line in _section(dmz, m)))


def _section(dmz: Dmz, m: Mapping) -> Iterator[str]:
    name = prefix(dmz.tag) + re.sub(r"[^a-z0-9]", "_", f"{m.node}_{m.key}".lower())
    options = {
        "name": dmz.comment(m),
        "target": "DNAT",
        "family": "ipv4",
        "src": dmz.router.get("dss_wan_interface") or "wan",
        "src_dip": m.wan,
        "src_dport": m.port,
        "dest": dmz.router.get("dss_lan_interface"),
        "dest_ip": m.lan,
        "dest_port": m.port,
        "proto": m.proto,
        "reflection": 1,
        "reflection_src": "internal",
    }
    yield f"{name}=redirect"
    yield from (f"{name}.{key}={value}" for key, value in options.items())


def _set(lines: Lines) -> Iterator[str]:
    """Lines of `uci batch` that make these options; a section must be there before its options."""
    for line in sorted(
        lines, key=lambda line: (line.partition("=")[0].partition(".")[0], "." in line.partition("=")[0])
    ):
        left, _, value = line.partition("=")
        yield f"set firewall.{left}='{value}'" if "." in left else f"set firewall.{line}"


class OpenWrt:
    """Over SSH: reads with `uci show`, stages with `uci batch`, and commits what was verified."""

    def __init__(self, tag: str) -> None:
        self.prefix = prefix(tag)
        self.ours_alone = False

    def have(self, talk: Talk) -> Lines:
        """Our options on the device, staged ones included; the first time nothing may be staged."""
        if not self.ours_alone:
            _nothing_staged(talk)
            self.ours_alone = True
        found = []
        for line in talk.run("uci show firewall").splitlines():
            left, _, value = line.removeprefix("firewall.").partition("=")
            if left.startswith(self.prefix):
                found.append(f"{left}={value.strip(chr(39))}")
        return tuple(sorted(found))

    def change(self, talk: Talk, have: Lines, want: Lines) -> None:
        """Replace every section in which the two differ."""
        touched = {line.partition("=")[0].partition(".")[0] for line in {*have} ^ {*want}}
        gone = sorted({s for s in touched if f"{s}=redirect" in have})
        fresh = tuple(ln for ln in want if ln.partition("=")[0].partition(".")[0] in touched)
        batch = [f"delete firewall.{section}" for section in gone] + list(_set(fresh))
        talk.run("uci batch", "\n".join(batch) + "\n")

    def keep(self, talk: Talk) -> None:
        """Write the staged options and load them; the reload ends well even when it leaves rules out."""
        talk.run("uci commit firewall")
        said = talk.run("/etc/init.d/firewall reload")
        odd = [line for line in said.splitlines() if "Error:" in line or self.prefix in line]
        if odd:
            raise RouterError(
                "The router took the options, but its firewall did not load all of them:",
                f"{odd[0].strip()[:200]}.",
                "dss_wan_interface and dss_lan_interface are its zones; its own files must load too.",
            )


def _nothing_staged(talk: Talk) -> None:
    """A commit writes everything that is staged, so it has to be ours alone."""
    staged = talk.run("uci changes firewall").splitlines()
    if staged:
        raise RouterError(
            "The router's firewall has changes that are not committed:",
            f"{staged[0][:200]}; writing ours would commit them too.",
            "See `uci changes firewall` there; commit or revert them, then run it again.",
        )
