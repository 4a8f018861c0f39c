"""Servers and the right to join."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from services.smc import nodes
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number, Text
from services.smc.nodes import JoinToken, Node


@dataclass(frozen=True)
class NewToken:
    """The node that may join, and for how many minutes."""

    name: Annotated[str, Text(1, 63)]
    minutes: Annotated[int, Number(1, 30 * 24 * 60)] = 60


@operation("GET", "/nodes", answer=list[Node], permission="nodes.view")
def list_nodes(call: Call) -> list[Node]:
    """All servers with their live state."""
    return nodes.listing(call.session)


@operation("GET", "/nodes/<name>", answer=Node, permission="nodes.view")
def get_node(call: Call, name: str) -> Node:
    """One server with its live state."""
    return nodes.get(call.session, name)


@operation("POST", "/nodes/<name>/enable", answer=Node, permission="nodes.manage")
def enable_node(call: Call, name: str) -> Node:
    """Let a server work."""
    return nodes.enable(call.session, name, call.account)


@operation("POST", "/nodes/<name>/disable", answer=Node, permission="nodes.manage")
def disable_node(call: Call, name: str) -> Node:
    """Take a server out of work."""
    return nodes.disable(call.session, name, call.account)


@operation("POST", "/join-tokens", body=NewToken, answer=JoinToken, status=201, permission="nodes.manage")
def add_token(call: Call) -> JoinToken:
    """Make a one-time token with which a node joins; it is shown this once."""
    return nodes.add_token(call.session, call.body.name, timedelta(minutes=call.body.minutes), call.account)
