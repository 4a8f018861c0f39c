#!/usr/bin/python
"""Measure a host before anything on it is changed. It judges nothing and changes nothing."""

import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: dss_preflight
short_description: Measure a host
description:
  - Measures release, processor, memory, network cards, disks, clock, ports in use and duplicate addresses.
options:
  install_path:
    description: Folder that will hold what grows.
    type: path
    required: true
  picture_paths:
    description: Folders for face pictures.
    type: list
    elements: path
    default: []
  networks:
    description: Networks of the node's own, each with name, interface, and address unless yet to be made.
    type: list
    elements: dict
    default: []
  address:
    description: Address for administration of the node.
    type: str
    required: true
  ports:
    description: Listeners to be, as C(443/tcp).
    type: list
    elements: str
    default: []
  units:
    description: Our own units; a port they hold is not taken.
    type: list
    elements: str
    default: []
author: DSS
"""

EXAMPLES = r"""
- name: Measure
  dss_preflight:
    install_path: /srv/dss
    address: 198.18.0.10
"""

RETURN = r"""
measured:
  description: What was found, by name.
  type: dict
  returned: always
"""

DISK_SYSTEMS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "overlay"}
ARP_WAIT = 0.3
TCP_LISTEN = "0A"


def read(path: str, default: str = "") -> str:
    try:
        with open(path, errors="replace") as stream:
            return stream.read()
    except OSError:
        return default


def run(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:
        return ""


def release(text: str) -> dict[str, str]:
    """os-release(5) as a dictionary."""
    pairs = (line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    return {key: value.strip().strip("\"'") for key, value in pairs}


def clock_rate(cpuinfo: str) -> int:
    """Highest processor clock in MHz, 0 when the machine does not tell."""
    limit = read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").strip()
    found = [float(v) for v in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", cpuinfo, re.MULTILINE)]
    return int(limit) // 1000 if limit else int(max(found, default=0))


def memory_total(meminfo: str) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def cards(folder: str = "/sys/class/net") -> list[dict[str, Any]]:
    """Network cards: name and speed in Mbit/s, None where the driver does not say."""
    found = []
    for name in sorted(os.listdir(folder)):
        base = os.path.join(folder, name)
        virtual = any(os.path.exists(os.path.join(base, part)) for part in ("bridge", "tun_flags", "bonding"))
        if read(os.path.join(base, "type")).strip() != "1" or virtual:
            continue
        speed = read(os.path.join(base, "speed")).strip()
        found.append({"name": name, "speed": int(speed) if speed.isdigit() else None})
    return found


def existing(path: str) -> str:
    """The nearest folder above a path that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def device(path: str) -> int:
    return os.stat(existing(path)).st_dev


def space(path: str) -> dict[str, int]:
    state = os.statvfs(existing(path))
    return {"total": state.f_blocks * state.f_frsize, "free": state.f_bavail * state.f_frsize}


def partitions(mounts: str) -> int:
    """How many different file systems on disks are mounted."""
    rows = [line.split() for line in mounts.splitlines()]
    return len({row[0] for row in rows if len(row) > 2 and row[2] in DISK_SYSTEMS})


def disks(path: str, pictures: list[str]) -> dict[str, Any]:
    system, install = device("/"), device(path)
    apart = [p for p in pictures if device(p) not in (system, install)]
    return {
        "on_system_disk": install == system,
        "partitions": partitions(read("/proc/mounts")),
        "pictures": pictures,
        "pictures_apart": apart,
        **space(path),
    }


def listening(text: str) -> Iterator[tuple[int, str, str]]:
    """(port, inode) of the listening sockets in /proc/net/{tcp,udp}*."""
    for line in text.splitlines()[1:]:
        words = line.split()
        yield int(words[1].rpartition(":")[2], 16), words[3], words[9]


def sockets() -> dict[str, set[str]]:
    """`port/protocol` → inodes of everything that listens."""
    found = {}
    for proto in ("tcp", "udp"):
        for suffix in ("", "6"):
            for port, state, inode in listening(read(f"/proc/net/{proto}{suffix}")):
                if proto == "udp" or state == TCP_LISTEN:
                    found.setdefault(f"{port}/{proto}", set()).add(inode)
    return found


def opened(pid: str) -> Iterator[str]:
    """What a process has open; a descriptor that is closed meanwhile is left out."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(folder):
            with contextlib.suppress(OSError):
                yield os.readlink(f"{folder}/{descriptor}")


def owner_of(inodes: set[str]) -> str:
    """Unit or command of the process that holds one of these sockets."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if not wanted.isdisjoint(opened(pid)):
            unit = re.search(r"([^/\n]+\.service)", read(f"/proc/{pid}/cgroup"))
            return unit.group(1) if unit else read(f"/proc/{pid}/comm").strip()
    return "an unknown process"


def taken(wanted: list[str], units: list[str]) -> dict[str, str]:
    """Wanted ports that somebody else holds: `port/protocol` → who."""
    found = sockets()
    owners = {port: owner_of(found[port]) for port in wanted if port in found}
    return {port: owner for port, owner in owners.items() if owner not in units}


def interface_of(address: str) -> tuple[str, str] | None:
    """(name, hardware address) of the interface with this address, or None."""
    for link in json.loads(run("ip", "-j", "addr") or "[]"):
        if any(a.get("local") == address for a in link.get("addr_info", [])):
            return link["ifname"], link.get("address", "")
    return None


def duplicate(address: str, interface: tuple[str, str]) -> str:
    """Hardware address of another machine that answers for `address` (ARP probe, RFC 5227), or nothing."""
    name, own = interface
    if ":" in address or not re.fullmatch(r"(..:){5}..", own) or name == "lo":
        return ""
    mac = bytes.fromhex(own.replace(":", ""))
    probe = struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, bytes(4), bytes(6), socket.inet_aton(address)
    )
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as wire:
        wire.bind((name, 0))
        wire.settimeout(0.05)
        wire.send(b"\xff" * 6 + mac + b"\x08\x06" + probe)
        return answer(wire, socket.inet_aton(address), mac)


def answer(wire: socket.socket, address: bytes, mac: bytes) -> str:
    end = time.monotonic() + ARP_WAIT
    while time.monotonic() < end:
        try:
            frame = wire.recv(128)
        except TimeoutError:
            continue
        if frame[28:32] == address and frame[22:28] != mac:
            return frame[22:28].hex(":")
    return ""


def addresses(address: str) -> dict[str, Any]:
    interface = interface_of(address)
    if interface is None:
        return {"present": False, "duplicate": ""}
    try:
        return {"present": True, "duplicate": duplicate(address, interface)}
    except OSError as problem:
        return {"present": True, "duplicate": "", "unknown": str(problem)}


def network(wanted: dict[str, str]) -> dict[str, Any]:
    """An interface that must be there, and the address that it must have unless that is empty."""
    name, address = wanted["interface"], wanted["address"]
    found = interface_of(address) if address else None
    if address and found is None:
        state = "not configured on this host"
    elif address and found[0] != name:
        state = f"on {found[0]}"
    else:
        state = "" if os.path.isdir(f"/sys/class/net/{name}") else "there is no such interface"
    again = duplicate(address, found) if found and not state else ""
    return {**wanted, "state": state, "duplicate": again}


def caller() -> str:
    """Address of the machine that logged in for this run; nothing when nobody did."""
    process = os.getpid()
    while process > 1:
        # sudo hides what the login knew, so its ancestors are asked.
        for line in read(f"/proc/{process}/environ").split("\0"):
            if line.startswith("SSH_CONNECTION="):
                return line.partition("=")[2].split(" ")[0]
        status = read(f"/proc/{process}/status")
        process = int(status.partition("PPid:")[2].split("\n")[0] or 0)
    return ""


def zone() -> str:
    link = os.path.realpath("/etc/localtime")
    return link.partition("zoneinfo/")[2] or read("/etc/timezone").strip() or "UTC"


def installed_release(record: str) -> str:
    """Version in the text of release.json, or nothing."""
    return json.loads(record)["version"] if record else ""


def measure(params: dict[str, Any]) -> dict[str, Any]:
    cpuinfo = read("/proc/cpuinfo")
    return {
        "os": release(read("/etc/os-release")),
        "arch": os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "mhz": clock_rate(cpuinfo),
        "memory": memory_total(read("/proc/meminfo")),
        "cards": cards(),
        "disk": disks(params["install_path"], params["picture_paths"]),
        "installed": os.path.exists("/etc/dss/installed.json"),
        "release": installed_release(read("/etc/dss/release.json")),
        "synchronised": run("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip(),
        "zone": zone(),
        "taken": taken(params["ports"], params["units"]),
        "address": addresses(params["address"]),
        "networks": [network(one) for one in params["networks"]],
        "caller": caller(),
        "now": time.time(),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "install_path": {"type": "path", "required": True},
            "picture_paths": {"type": "list", "elements": "path", "default": []},
            "address": {"type": "str", "required": True},
            "networks": {"type": "list", "elements": "dict", "default": []},
            "ports": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, measured=measure(module.params))


if __name__ == "__main__":
    main()
