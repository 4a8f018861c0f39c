"""What the application is told by the deployment of its node."""

import socket
from typing import Any

from services.runtime import config
from services.runtime.config import Node


def host_names(node: Node, more: list[str]) -> frozenset[str]:
    """The DNS names under which browsers may open this portal; addresses are always right (see guard)."""
    names = {node.name, f"{node.name}.node.dss", socket.gethostname(), socket.getfqdn(), *more}
    return frozenset(name.lower() for name in names if name)


def deployed() -> dict[str, Any]:
    """The configuration for create_app from /etc/dss and the unit's credentials."""
    node = config.load_node()
    service = config.load_service("smc")
    return {
        "VERSION": node.version,
        "SITE": node.site,
        "NODE": node.name,
        "HOSTS": host_names(node, service.settings.get("hosts", [])),
        "SECRET": config.credential("session-key"),
    }
