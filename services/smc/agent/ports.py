"""Which rows of this node's port matrix are really open."""

import ipaddress
from pathlib import Path
from typing import Any

from services.runtime import config

# Connection states of /proc/net/{tcp,udp} (proc(5)): a listening TCP socket, an unconnected UDP one.
EVERY = {"0.0.0.0", "::"}  # noqa: S104 - what the kernel says, nothing is bound here
TABLES = {"tcp": (("tcp", "tcp6"), "0A"), "udp": (("udp", "udp6"), "07")}


def matrix(net: Path = Path("/proc/net")) -> list[dict[str, Any]]:
    """The rows of ports.json, each with `listening`."""
    open_ports = {protocol: bound(net, protocol) for protocol in TABLES}
    rows = config.read_json(config.root() / "ports.json")
    return [row | {"listening": _open(row, open_ports)} for row in rows]


def _open(row: dict[str, Any], open_ports: dict[str, set[tuple[str, int]]]) -> bool:
    """A row of one network is open when its own address is, or every address."""
    found = open_ports.get(row["protocol"], set())
    places = {at for at, port in found if port == row["port"]}
    wanted = row.get("address")
    return row["direction"] == "in" and bool(places & {wanted, *EVERY} if wanted else places)


def listening(net: Path, protocol: str) -> set[int]:
    """Port numbers on which anything listens."""
    return {port for _, port in bound(net, protocol)}


def bound(net: Path, protocol: str) -> set[tuple[str, int]]:
    """(address, port) of everything that listens."""
    names, wanted = TABLES[protocol]
    found = set()
    for name in names:
        path = net / name
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == wanted:
                address, _, port = fields[1].rpartition(":")
                found.add((_address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    """An address of proc(5): words of four bytes in the machine's order, which is little-endian."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))
