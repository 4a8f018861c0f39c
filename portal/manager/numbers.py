"""Port numbers of a server's services, from its own port matrix."""

import time
from collections import defaultdict

from sqlalchemy.orm import Session

from services.smc import ports
from services.smc.nodes import Node

KEEP_SECONDS = 10.0
_known: dict[str, tuple[float, dict[str, str]]] = {}


def port_numbers(session: Session, node: Node) -> dict[str, str]:
    """Service id to its listening ports as text, ten seconds old at most; empty while nobody can tell."""
    at, known = _known.get(node.name, (0.0, {}))
    if time.monotonic() - at < KEEP_SECONDS or node.reach == "unreachable":
        return known
    # A port on several networks has several rows; it is one number all the same.
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for row in ports.of_node(session, node.name).rows:
        if row.get("direction") == "in":
            found[row["service"]][str(row["port"])] = None
    if found:
        _known[node.name] = time.monotonic(), {id: ", ".join(numbers) for id, numbers in found.items()}
        return _known[node.name][1]
    return known
