"""Which rows of this node's port matrix are really open."""

import ipaddress
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime import config

NET = Path("/proc/net")

EVERY = {"0.0.0.0", "::"}  # noqa: S104 - what the kernel says, nothing is bound here
# Connection states of /proc/net/{tcp,udp} (proc(5)): a listening TCP socket, an unconnected UDP one.
TABLES = {"tcp": (("tcp", "tcp6"), "0A"), "udp": (("udp", "udp6"), "07")}

OVERFLOW = 65534
"""What the kernel shows instead of a user whom the agent's own user namespace does not know."""


@dataclass(frozen=True)
class Socket:
    """One listening socket; `user` holds it, "" if not known."""

    address: str
    port: int
    user: str

    @property
    def local(self) -> bool:
        """Whether it hears this machine only."""
        own = ipaddress.ip_address(self.address)
        return (getattr(own, "ipv4_mapped", None) or own).is_loopback


def matrix(net: Path = NET) -> list[dict[str, Any]]:
    """The rows of ports.json, each with `listening`."""
    open_ports = {protocol: listening(net, protocol) for protocol in TABLES}
    return [row | {"listening": _open(row, open_ports)} for row in _rows()]


def unlisted(net: Path = NET) -> list[dict[str, Any]]:
    """Listening sockets that ports.json lacks, each with protocol, port, `user` and `local` of Socket.

    Sockets of the same number are one; a UDP socket of the ephemeral range is some client's, not a listener.
    """
    known = {(r["protocol"], r["port"]) for r in _rows() if r["direction"] == "in" and r["status"] == "built"}
    found: dict[tuple[str, int], Socket] = {}
    for protocol in TABLES:
        for one in listening(net, protocol):
            key, before = (protocol, one.port), found.get((protocol, one.port))
            if key not in known and not (protocol == "udp" and one.port >= _ephemeral()):
                # What hears others tells more than what hears this machine only.
                found[key] = one if before is None or before.local else before
    return [
        {"protocol": protocol, "port": port, "user": one.user, "local": one.local}
        for (protocol, port), one in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    ]


def _rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = config.read_json(config.root() / "ports.json")
    return found


def _open(row: dict[str, Any], open_ports: dict[str, list[Socket]]) -> bool:
    """A row of one network is open when its own address is, or every address."""
    found = open_ports.get(row["protocol"], ())
    places = {one.address for one in found if one.port == row["port"]}
    wanted = row.get("address")
    return row["direction"] == "in" and bool(places & {wanted, *EVERY} if wanted else places)


def listening(net: Path, protocol: str) -> list[Socket]:
    """Every socket that waits for others, of whichever program."""
    names, wanted = TABLES[protocol]
    found = []
    for name in names:
        path = net / name
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == wanted:
                at, _, port = fields[1].rpartition(":")
                found.append(Socket(_address(at), int(port, 16), _user(int(fields[7]))))
    return found


def _address(text: str) -> str:
    """An address of these tables: words of four bytes in the machine's order."""
    words = (int(text[at : at + 8], 16) for at in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words)))


def _user(number: int) -> str:
    if number == OVERFLOW:
        return ""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _ephemeral() -> int:
    """Where the range begins from which the kernel gives clients their ports."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32768
