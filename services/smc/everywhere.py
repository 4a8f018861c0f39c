"""One question to the agents of all nodes at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import nodes, peers
from services.smc.nodes import Node

AT_ONCE = 8


@dataclass(frozen=True)
class Answer:
    """What one node said (JSON), or why it did not."""

    node: Node
    value: Any
    problem: Problem | None = None


def ask(session: Session, path: str) -> list[Answer]:
    """The answers of all nodes to GET `path`, main first; one that does not report is not asked."""
    known = nodes.listing(session)
    session.rollback()
    if not known:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(known))) as pool:
        return list(pool.map(lambda node: _of(node, path), known))


def _of(node: Node, path: str) -> Answer:
    own = node.name == config.load_node().name
    if node.reach == "unreachable" and not own:
        return Answer(node, None, silent(node.name))
    peer = peers.Peer(node.name, None if own else node.address, node.beat.get("https_port"))
    try:
        return Answer(node, peers.call(peer, "GET", path))
    except Problem as problem:
        return Answer(node, None, problem)


def silent(name: str) -> Problem:
    """The node has not been heard of for more than 30 seconds; each attempt would wait in vain."""
    return Problem(
        "node-unreachable", f"{name} does not report.", "It has not been heard of for a while.",
        "See whether the server runs and its network is whole.", status=502,
    )  # fmt: skip
