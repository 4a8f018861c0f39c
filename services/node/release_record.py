"""What a node remembers of its releases: the date of each, and when it went from one to another.

Only root writes it; everybody may read it.
"""

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from services.node import files

PATH = files.STATE / "releases.json"
UNDER_WAY = Path("/run/dss-switching")
"""There while a change goes on, gone after a power cut."""

SWITCHES = 20


@dataclass
class Switch:
    """One change of the release; `kind`: install, upgrade, rollback; `state`: running, done, undone.

    Times are seconds since 1970, `ended` 0 while it runs. `by` ran the playbook, "" where it did not say.
    """

    id: str
    kind: str
    old: str
    new: str
    by: str
    began: float
    ended: float = 0.0
    state: str = "running"
    why: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Note one line of its log."""
        self.log.append({"at": time.time(), "text": text})
        record = load()
        record.switches = [self if one.id == self.id else one for one in record.switches]
        _write(record)

    def end(self, state: str, text: str) -> None:
        """The last line, and how it ended."""
        self.state, self.ended = state, time.time()
        self.why = text if state == "undone" else ""
        self.say(text)


@dataclass
class Record:
    """Version → date of its build; switches, newest first."""

    dates: dict[str, str] = field(default_factory=dict)
    switches: list[Switch] = field(default_factory=list)


def load() -> Record:
    """The record; empty where there is none, or where it cannot be read."""
    nothing: dict[str, Any] = {"dates": {}, "switches": []}
    try:
        found = files.read_json(PATH, nothing)
        return Record(dict(found["dates"]), [Switch(**one) for one in found["switches"]])
    except (ValueError, TypeError, KeyError):
        return Record()


def begin(kind: str, old: str, new: str, by: str) -> Switch:
    """A change that begins now; one that was cut off before is concluded: the node runs `old`."""
    cut_off(old)
    record = load()
    switch = Switch(uuid4().hex, kind, old, new, by, time.time())
    record.switches = [switch, *record.switches][:SWITCHES]
    _write(record)
    return switch


def dated(version: str, date: str) -> None:
    """Note when a release was built."""
    record = load()
    if date and record.dates.get(version) != date:
        record.dates[version] = date
        _write(record)


def installed(version: str, by: str) -> None:
    """Note the release that a deployment put onto a node that had none."""
    begin("install", "", version, by).end("done", f"Release {version} is installed.")


def cut_off(runs: str) -> None:
    """Conclude a change that did not come to its end: the node `runs` this release now."""
    for one in load().switches:
        if one.state == "running":
            one.end("done" if runs == one.new else "undone", f"It was cut off; the node runs {runs}.")


def _write(record: Record) -> None:
    # A release must not fail for want of its history.
    with suppress(OSError):
        files.write_json(PATH, asdict(record))
