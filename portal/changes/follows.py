"""What follows when a port of a service is changed, in words, before it is done."""

from typing import Any

from services.runtime import config
from services.smc.nodes import Node

TO_MAIN = {("nginx", "https"), ("mq", "leaf")}


def follows(node: Node, service: str, rows: list[dict[str, Any]]) -> list[str]:
    """One sentence for each thing that restarts, reloads or has to be told."""
    catalog = config.load_catalog()
    own = next((one for one in catalog if one["id"] == service), {"code": service})
    gateway = service == "nginx"
    readers = [one["code"] for one in catalog if _reads(one, service, node) and not gateway]
    found = [f"{own['code']} {'takes the new number without a restart' if gateway else 'restarts'}."]
    if readers:
        found.append(f"{', '.join(readers)} {'restarts' if len(readers) == 1 else 'restart'}, too.")
    if not gateway:
        found.append("DSS_NGINX reloads where it passes requests on to this port; its connections go on.")
    if any(row["zone"] != "local" for row in rows):
        found.append("The firewall of the server opens the new number and closes the old one.")
    if any(row["zone"] == "wan" for row in rows):
        found.append(
            "A router in front must map the new number. Clients are told it with their next address."
        )
    if node.name == config.load_node().name and any((service, row["name"]) in TO_MAIN for row in rows):
        found.append("The other servers are told and follow by themselves.")
    return [*found, "The port matrix shows the new number."]


def _reads(one: dict[str, Any], service: str, node: Node) -> bool:
    role = "main" if node.role in {"main", "standby", "cascade"} else "sub"
    return one["status"] == "built" and role in one["role"] and service in one["after"]
