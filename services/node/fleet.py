"""What main knows of the certificates of its nodes: from their beats, so only what is in force counts."""

import time
from collections.abc import Callable
from typing import Any

from services.runtime.config import load_node
from services.runtime.errors import Problem
from services.smc import nodes, store
from services.smc.nodes import Node

POLL = 0.5
Held = list[dict[str, Any]]


def trusts(authority: str) -> Callable[[Held], str]:
    """Complaint about a node that does not trust an authority (fingerprint), also beside others."""
    return lambda held: "" if authority in _trusted(held) else "does not trust the new authority yet"


def shows(authority: str) -> Callable[[Held], str]:
    """Complaint about a node whose own certificate comes from another authority."""

    def complain(held: Held) -> str:
        own = {one["signed_by"] for one in held if one["purpose"] == "node"}
        return "" if own == {authority} else "still has a certificate of the old authority"

    return complain


def trusts_only(authority: str) -> Callable[[Held], str]:
    """Complaint about a node that trusts anybody else."""
    return lambda held: "" if _trusted(held) == {authority} else "still trusts the old authority"


def need(complaint: Callable[[Held], str], what: str, seconds: float) -> list[str]:
    """Wait until every node of the site is as asked; Problem naming those that are not after `seconds`.

    Returns the names of disabled nodes: nobody waits for them, they will have to join again.
    """
    end = time.monotonic() + seconds
    while wrong := _wrong(complaint):
        if time.monotonic() > end:
            raise Problem(
                "nodes-behind",
                f"{what} Nothing was changed by this step.",
                "; ".join(f"{name} {why}" for name, why in wrong.items()) + ".",
                "Bring these nodes back and run playbooks/rotate_ca.yml again: it continues here. "
                "One that will never come back is disabled in the portal; it is then left out.",
                status=409,
            )
        time.sleep(POLL)
    return [node.name for node in _others() if node.state == "disabled"]


def _wrong(complaint: Callable[[Held], str]) -> dict[str, str]:
    found = {node.name: _judge(node, complaint) for node in _others() if node.state != "disabled"}
    return {name: why for name, why in found.items() if why}


def _judge(node: Node, complaint: Callable[[Held], str]) -> str:
    if node.stale or not node.beat:
        return "is away: nothing has been heard of it"
    held = node.beat.get("certificates")
    if not isinstance(held, list):
        return "runs a release that does not tell its certificates"
    return complaint(held)


def _others() -> list[Node]:
    with store.session() as session:
        return [node for node in nodes.listing(session) if node.name != load_node().name]


def _trusted(held: Held) -> set[str]:
    return {one["fingerprint"] for one in held if one["purpose"] == "authority"}
