"""What a change of the release has done so far, on disk before each step, so that it ends whole or undone.

/var/lib/dss/switch/journal.json exists from the first change of the node until its end. `phase`:
`files` (link and files may be changed), `schema` (a dump is complete, the migration may have begun; nothing
newer than the dump can have been written), `started` (services of the new release may have written).
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from services.node import files

FOLDER = files.STATE / "switch"
PATH, DUMP, OLD = FOLDER / "journal.json", FOLDER / "before.sql", FOLDER / "old"


@dataclass(frozen=True)
class Journal:
    """One change from release `old` to `new`; `record` is the content of release.json before it."""

    old: str
    new: str
    record: dict[str, Any]
    phase: str = "files"

    def save(self) -> "Journal":
        """Make it durable."""
        FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write_json(PATH, asdict(self), 0o600)
        return self

    def at(self, phase: str) -> "Journal":
        """The same change, one step further."""
        return replace(self, phase=phase).save()


def load() -> Journal | None:
    """The change that has not come to its end, if there is one."""
    nothing: dict[str, Any] = {}
    found = files.read_json(PATH, nothing)
    return Journal(**found) if found else None


def close() -> None:
    """The change is complete, or completely undone."""
    PATH.unlink(missing_ok=True)
    files.sync_folder(FOLDER)
    DUMP.unlink(missing_ok=True)
