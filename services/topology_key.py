"""What is known of one variable of the inventory."""

from dataclasses import dataclass
from typing import Any

from services.topology_groups import NODE_GROUPS

NODES = " ".join(NODE_GROUPS)


@dataclass(frozen=True)
class Key:
    """One variable. `scope` names the groups that may have it, () is all of them.

    `type` is a key of topology_types.CHECKS.
    """

    name: str
    type: str
    scope: tuple[str, ...]
    default: Any
    meaning: str
    example: str
    choices: tuple[str, ...] = ()


def row(name: str, type_: str, scope: str, default: object, meaning: str, example: str, *choices: str) -> Key:
    """A key whose scope is written as words."""
    return Key(name, type_, tuple(scope.split()), default, meaning, example, choices)
