"""What a node remembers of a change at run time: enough to go on, or to undo, after any interruption.

The agent (user dss) puts requests and answers into ASKED; only root writes RECORDS, which everyone may read.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.node import files

RECORDS, ASKED = files.STATE / "changes", files.STATE / "smc" / "changes"
OPEN_STATES = ("checking", "applying", "waiting", "undoing")
KEPT = 20
LARGEST = 64 * 1024
ID = re.compile(r"[0-9a-f]{32}")


@dataclass
class Record:
    """One change; `state`: checking, applying, waiting, kept, undoing, undone, refused, failed.

    `before` and `after` are the node's overrides; times are seconds since 1970. `affected` has `units`, each
    with restart or reload, and `paths`; `problem` is RFC 9457's body of why it was refused or undone.
    """

    id: str
    request: dict[str, Any]
    by: str = ""
    state: str = "checking"
    began: float = 0.0
    ends: float = 0.0
    healthy_after: float = 0.0
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    affected: dict[str, Any] = field(default_factory=lambda: {"units": {}, "paths": []})
    problem: dict[str, Any] | None = None
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it is neither kept nor gone."""
        return self.state in OPEN_STATES

    @property
    def expired(self) -> bool:
        """Whether nobody confirmed in time; a clock that went backwards counts as too late."""
        return not self.began - 5 <= time.time() < self.ends

    @property
    def certificate(self) -> Path:
        """Where the node certificate from before the change is kept."""
        return RECORDS / f"{self.id}.pem"

    def say(self, state: str, text: str) -> None:
        """Go to `state` and note why, durably."""
        self.state = state
        self.log.append({"at": time.time(), "text": text})
        files.write_json(RECORDS / f"{self.id}.json", asdict(self))


def load(id: str) -> Record | None:
    """One record; None when there is none. A damaged one is an error: ValueError, TypeError."""
    path = RECORDS / f"{id}.json"
    return Record(**files.read_json(path, dict[str, Any]())) if path.is_file() else None


def listing() -> Iterator[Record]:
    """All records, newest first; a damaged one is left out."""
    found = []
    for path in RECORDS.glob("*.json"):
        try:
            found.append(Record(**files.read_json(path, dict[str, Any]())))
        except (ValueError, TypeError):
            continue
    yield from sorted(found, key=lambda one: one.began, reverse=True)


def forget_old() -> None:
    """Keep the newest records only; an open one always stays."""
    for one in list(listing())[KEPT:]:
        if not one.open:
            for path in (RECORDS / f"{one.id}.json", one.certificate, *ASKED.glob(f"{one.id}.*")):
                path.unlink(missing_ok=True)


def request_of(id: str) -> dict[str, Any]:
    """What the agent asked for; ValueError when that is no JSON object of a sensible size, or a link."""
    text = files.read_foreign(ASKED / f"{id}.json", LARGEST)
    if text is None:
        raise ValueError("there is no such request")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def answer(id: str) -> str:
    """`keep`, `undo`, or "" while nobody answered."""
    word = (files.read_foreign(ASKED / f"{id}.answer", LARGEST) or "").strip()
    return word if word in {"keep", "undo"} else ""
