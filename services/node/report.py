"""How a step on a node tells its caller what it did."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Report:
    """What a step changed, in the words a person reads; printed as one JSON line for the playbooks."""

    changes: list[str] = field(default_factory=list)
    data: dict[str, object] = field(default_factory=dict)

    def add(self, change: str, done: bool = True) -> None:
        """Note a change; nothing when `done` is false."""
        if done:
            self.changes.append(change)

    def extend(self, changes: Iterable[str]) -> None:
        """Note several changes."""
        self.changes.extend(changes)

    def as_json(self) -> str:
        """`{"changed": bool, "changes": [str], …}` on one line."""
        return json.dumps({"changed": bool(self.changes), "changes": self.changes, **self.data})
