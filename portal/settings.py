"""What the application is told by the deployment of its node."""

import socket
from pathlib import Path
from typing import Any

from services.runtime import config
from services.runtime.config import Node


def host_names(node: Node, hosts: str) -> frozenset[str]:
    """The DNS names under which browsers may open this portal; addresses are always right (see guard).

    Besides its own names these are the names of its addresses in `hosts`, the text of hosts(5). DNS is not
    asked: on a network without it, each question would hold up the start.
    """
    own = {"127.0.0.1", "127.0.1.1", "::1", node.address, node.mapping_ip, *node.addresses.values()}
    lines = [line.partition("#")[0].split() for line in hosts.splitlines()]
    listed = {name for address, *names in filter(None, lines) if address in own for name in names}
    names = {node.name, f"{node.name}.node.dss", socket.gethostname()} | listed
    return frozenset(name.lower() for name in names)


def deployed() -> dict[str, Any]:
    """The configuration for create_app from /etc/dss and the unit's credentials."""
    node = config.load_node()
    return {
        "VERSION": node.version,
        "SITE": node.site,
        "NODE": node.name,
        "HOSTS": host_names(node, Path("/etc/hosts").read_text(encoding="utf-8", errors="replace")),
        "SECRET": config.credential("session-key"),
    }
