"""The written scripts, run by hand on a router: right at once, the same again, gone after removal."""

import ast
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
TOOL = """#!{python}
import ast, sys
sys.path.insert(0, {here!r})
from router_openwrt import OpenWrt
device, state = OpenWrt(), {state!r}
vars(device).update(ast.literal_eval(open(state).read()))
words = " ".join([{name!r}, *sys.argv[1:]])
said, code = device.execute(words, sys.stdin.read() if words == "uci batch" else "")
open(state, "w").write(repr(vars(device)))
print(said, end="", file=sys.stdout if words.startswith(("uci show", "uci changes")) else sys.stderr)
sys.exit(code)
"""


class Router:
    """An emulated OpenWrt with commands to run scripts on; what it is stands in a file between them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.write(OpenWrt())
        for tool, name in (("uci", "uci"), ("firewall", "/etc/init.d/firewall")):
            text = TOOL.format(python=sys.executable, here=str(HERE), state=str(self.state), name=name)
            (folder / tool).write_text(text)
            (folder / tool).chmod(0o755)

    def write(self, device: OpenWrt) -> None:
        self.state.write_text(repr(vars(device)))

    def read(self) -> OpenWrt:
        device = OpenWrt()
        vars(device).update(ast.literal_eval(self.state.read_text()))
        return device

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        shell = script.replace("/etc/init.d/firewall", str(self.folder / "firewall"))
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin"}
        return subprocess.run(
            ["dash", "-c", shell], env=environment, capture_output=True, text=True, timeout=120, check=False
        )


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
    router = Router(tmp_path)

    def run(text: str) -> str:
        done = router.run(text)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return router.state.read_text()

    before = router.state.read_text()
    apply, remove = texts(dmz, "openwrt")
    once = run(apply)
    # Staged, saved and running, each with the one that the router's owner had.
    assert once.count("'DNAT'") == 3 * (len(dmz.mappings) + 1)
    assert run(apply) == once
    assert run(remove) == before
    assert run(remove) == before
    assert openwrt.prefix(dmz.tag) not in before


def test_the_script_for_openwrt_changes_nothing_when_uci_refuses_a_line(dmz: Dmz, tmp_path: Path) -> None:
    router = Router(tmp_path)
    before = vars(router.read())
    apply, _ = texts(dmz, "openwrt")
    refused = router.run(apply.replace("main_a_mts_rtsp.", "main-a_mts_rtsp."))
    assert refused.returncode == 1
    assert "Invalid argument" in refused.stderr
    assert "nothing was changed" in refused.stderr
    assert vars(router.read()) == before


@pytest.mark.parametrize("change", [("src='wan'", "src='wan0'"), ("dest_ip=", "dest_addr=")])
def test_the_script_for_openwrt_fails_when_the_firewall_leaves_sections_out(
    dmz: Dmz, tmp_path: Path, change: tuple[str, str]
) -> None:
    router = Router(tmp_path)
    apply, _ = texts(dmz, "openwrt")
    refused = router.run(apply.replace(*change))
    assert refused.returncode == 1
    assert "[!] Section" in refused.stderr
    assert openwrt.REMOVAL in refused.stderr


def test_both_scripts_for_openwrt_fail_when_the_firewall_does_not_load(dmz: Dmz, tmp_path: Path) -> None:
    router = Router(tmp_path)
    device = router.read()
    device.broken = "syntax error"
    router.write(device)
    for script in texts(dmz, "openwrt"):
        refused = router.run(script)
        assert refused.returncode == 1
        assert "Error: syntax error" in refused.stderr


def test_both_scripts_for_openwrt_leave_uncommitted_changes_to_their_owner(dmz: Dmz, tmp_path: Path) -> None:
    router = Router(tmp_path)
    device = router.read()
    device.staged["theirs"]["src_dport"] = "8089"
    router.write(device)
    for script in texts(dmz, "openwrt"):
        refused = router.run(script)
        assert refused.returncode == 1
        assert "firewall.theirs" in refused.stderr
        assert vars(router.read()) == vars(device)
