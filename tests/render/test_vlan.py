"""The lines that make a VLAN, on a real kernel: one that has 802.1Q, whatever the machine's own lacks."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.render import File

Render = Callable[[str, str], dict[str, File]]
UNIT = "/etc/systemd/system/dss-networks.service"
BOOT = """#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
for module in veth llc stp garp mrp 8021q; do
    insmod "$(find "/usr/lib/uml/modules/$(uname -r)" -name $module.ko)"
done
ip link add eth0 type veth peer name far
ip link set lo up
sleep infinity & unshare --net sleep infinity & other=$!
sleep 0.2
ip link set far netns $other
away() {{ nsenter --net=/proc/$other/ns/net "$@"; }}
away ip link set far up
for id in 30 31; do
    away ip link add link far name far.$id type vlan id $id
    away ip link set far.$id up
done
away ip address add 198.18.3.1/24 dev far.30
{made}
for _ in 1 2 3; do echo frame >/dev/udp/198.18.3.1/9; sleep 0.2; done
echo "@own $(ip -d -j address show dev eth0.30)"
echo "@far $(away ip -s -j link show type vlan | tr -d '\\n')"
{gone}
echo "@after $(ip -j link show type vlan | tr -d '\\n')"
python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
"""


def commands(text: str, key: str) -> str:
    """The unit's command lines under `key` that speak of the sub-interface."""
    found = [line.partition("=")[2].removeprefix("-") for line in text.splitlines() if line.startswith(key)]
    return "\n".join(line for line in found if "eth0" in line and "ip " in line)


@pytest.fixture
def told(rendered: Render, tmp_path: Path) -> dict[str, Any]:
    """What a Linux said that started with these commands, by name."""
    text = rendered("networks", "sub-1")[UNIT].text
    init = tmp_path / "init"
    init.write_text(BOOT.format(made=commands(text, "ExecStart="), gone=commands(text, "ExecStop=")))
    init.chmod(0o755)
    words = ["linux.uml", "mem=96M", "rootfstype=hostfs", "rootflags=/", "rw", f"init={init}"]
    words += ["con=null", "con0=null,fd:1", "quiet"]
    done = subprocess.run(
        words, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    lines = [line[1:].partition(" ") for line in done.stdout.splitlines() if line.startswith("@")]
    assert len(lines) == 3, done.stdout[-3000:] + done.stderr[-1000:]
    return {name: json.loads(rest or "[]") for name, _, rest in lines}


def test_a_sub_interface_is_made_tags_its_frames_and_goes_again(told: dict[str, Any]) -> None:
    (own,) = told["own"]
    assert (own["link"], own["linkinfo"]["info_data"]["id"]) == ("eth0", 30)
    assert [one["local"] for one in own["addr_info"] if one["family"] == "inet"] == ["198.18.3.21"]
    heard = {one["ifname"]: one["stats64"]["rx"]["packets"] for one in told["far"]}
    assert heard["far.30"] >= 1
    assert heard["far.31"] == 0
    assert told["after"] == []
