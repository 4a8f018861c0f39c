"""The written scripts, run by hand on a router: right at once, the same again, gone after removal."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from router_cisco import ENABLE, Cisco
from router_mikrotik import MikroTik
from router_openwrt import OpenWrt

from services import catalog, topology
from services.router import cisco, mikrotik, openwrt
from services.router.mapping import Dmz, rules
from services.router.vendors import VENDORS

HERE = Path(__file__).resolve().parent
UCI = """#!{python}
import ast, sys
sys.path.insert(0, {here!r})
from router_openwrt import OpenWrt
device, state = OpenWrt(), {state!r}
device.staged, device.saved = ast.literal_eval(open(state).read())
words = " ".join(["uci", *sys.argv[1:]])
if words.startswith("uci delete "):
    said, code = device.line(words.removeprefix("uci ")), 0
else:
    said, code = device.execute(words, sys.stdin.read() if words == "uci batch" else "")
open(state, "w").write(repr((device.staged, device.saved)))
print(said, end="")
sys.exit(code or said.startswith("uci:"))
"""


@pytest.fixture
def dmz() -> Dmz:
    known = catalog.load()
    site = topology.load(HERE.parents[1] / "inventories/lan_wan", catalog=known)
    edge = site.hosts["edge"]
    return rules(known, site, replace(edge, vars={**edge.vars, "dss_wan_interface": "wan"}))


def texts(dmz: Dmz, vendor: str) -> tuple[str, str]:
    """The script that maps, and the one that takes it away."""
    found = replace(dmz, router=replace(dmz.router, vars={**dmz.router.vars, "dss_router": vendor}))
    (apply,), (remove,) = VENDORS[vendor].files(found).values(), VENDORS[vendor].removal(found).values()
    return apply, remove


def test_routeros_imports_both_scripts_as_often_as_one_likes(dmz: Dmz) -> None:
    apply, remove = texts(dmz, "mikrotik")
    device = MikroTik()
    before = repr(device.rules)
    for _ in range(2):
        assert device.script(apply) == ""
        states = {f"{menu} {rule['comment']}" for menu, rules_ in device.rules.items() for rule in rules_}
        assert len(states) == sum(map(len, device.rules.values()))
    assert device.rules["filter"][-1]["action"] == "drop", "our rules stand before the owner's drop"
    assert len([r for r in device.rules["nat"] if r.get("action") == "dst-nat"]) == len(dmz.mappings)
    for _ in range(2):
        assert device.script(remove) == ""
        assert repr(device.rules) == before
    assert set(mikrotik.MENUS) == set(device.rules)


def test_ios_takes_both_texts_typed_in_enable_mode(dmz: Dmz) -> None:
    apply, remove = texts(dmz, "cisco")
    device = Cisco()
    before = device.running()

    def paste(text: str) -> None:
        for line in [one.strip() for one in text.splitlines() if not one.startswith("!")]:
            said = device.typed(line)
            if said.endswith("[no]: "):
                said = device.typed("yes")
            assert not said.startswith(("%", " ")), f"{line}: {said}"

    device.typed("enable")
    device.typed(ENABLE)
    paste(apply)
    once = device.running()
    paste(apply)
    assert device.running() == once
    assert len([line for line in device.nat if "198.18.0." in line]) == len(dmz.mappings)
    paste(remove)
    assert device.running() == before
    assert cisco.acl(dmz.tag) not in device.acl


def test_the_shell_of_openwrt_runs_both_scripts_as_often_as_one_likes(dmz: Dmz, tmp_path: Path) -> None:
    state, uci = tmp_path / "state", tmp_path / "uci"
    first = OpenWrt()
    state.write_text(repr((first.staged, first.saved)))
    uci.write_text(UCI.format(python=sys.executable, here=str(HERE), state=str(state)))
    uci.chmod(0o755)

    def run(text: str) -> str:
        shell = text.replace("/etc/init.d/firewall reload", "true")
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["dash", "-c", shell], env=environment, check=True, timeout=120)
        return state.read_text()

    before = state.read_text()
    apply, remove = texts(dmz, "openwrt")
    once = run(apply)
    assert once.count("'DNAT'") == 2 * (len(dmz.mappings) + 1)
    assert run(apply) == once
    assert run(remove) == before
    assert run(remove) == before
    assert openwrt.prefix(dmz.tag) not in before
