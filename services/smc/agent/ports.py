"""Which rows of this node's port matrix are really open."""

from pathlib import Path
from typing import Any

from services.runtime import config

# Connection states of /proc/net/{tcp,udp} (proc(5)): a listening TCP socket, an unconnected UDP one.
TABLES = {"tcp": (("tcp", "tcp6"), "0A"), "udp": (("udp", "udp6"), "07")}


def matrix(net: Path = Path("/proc/net")) -> list[dict[str, Any]]:
    """The rows of ports.json, each with `listening`."""
    open_ports = {protocol: listening(net, protocol) for protocol in TABLES}
    rows = config.read_json(config.root() / "ports.json")
    return [row | {"listening": _open(row, open_ports)} for row in rows]


def _open(row: dict[str, Any], open_ports: dict[str, set[int]]) -> bool:
    return row["direction"] == "in" and row["port"] in open_ports.get(row["protocol"], set())


def listening(net: Path, protocol: str) -> set[int]:
    """Port numbers on which anything listens."""
    names, wanted = TABLES[protocol]
    found = set()
    for name in names:
        path = net / name
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == wanted:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found
