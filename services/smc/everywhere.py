"""One question to the agents, or another service, of all nodes at once."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import nodes, peers
from services.smc.nodes import Node

AT_ONCE = 8
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What one node said, as it was read; or `problem`: why it did not, or why that cannot be read."""

    node: Node
    value: T | None
    problem: Problem | None = None


def ask(
    session: Session,
    path: str,
    read: Callable[[Node, Any], T],
    service: str = "smc",
    only: Collection[str] | None = None,
) -> list[Answer[T]]:
    """The answers of all nodes, or `only` some, to GET `path`, main first, each read by `read(node, JSON)`.

    A node that does not report is not asked: each attempt would wait in vain.
    """
    known = [one for one in nodes.listing(session) if only is None or one.name in only]
    session.rollback()
    return at_once(known, lambda node: _of(node, path, read, service))


def at_once(items: Sequence[S], do: Callable[[S], T], most: int = AT_ONCE) -> list[T]:
    """What `do` gives for each item, in their order; at most `most` are done at the same time."""
    with ThreadPoolExecutor(min(most, len(items) or 1)) as pool:
        return list(pool.map(do, items))


def _of(node: Node, path: str, read: Callable[[Node, Any], T], service: str) -> Answer[T]:
    if node.reach == "unreachable" and node.name != config.load_node().name:
        return Answer(node, None, _silent(node.name))
    try:
        told = peers.call(peers.of(node), "GET", path, service=service)
        return Answer(node, peers.parsed(node.name, lambda: read(node, told)))
    except Problem as problem:
        return Answer(node, None, problem)


def _silent(name: str) -> Problem:
    return Problem(
        "node-unreachable", f"{name} does not report.", "It has not been heard of for a while.",
        "See whether the server runs and its network is whole.", status=502,
    )  # fmt: skip
