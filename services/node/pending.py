"""Units that still have to be restarted, remembered on disk from the change until it is done.

A change of a file and the restart it asks for are two steps; a run that dies between them must not lose the
second.
One small file per unit under /var/lib/dss/pending; its text is `reload` or `restart`.
"""

from services.node import files

FOLDER = files.STATE / "pending"


def note(unit: str, verb: str = "restart") -> None:
    """Remember that a unit needs `verb`; a restart is never weakened to a reload."""
    path = FOLDER / unit
    if not (path.is_file() and path.read_text() == "restart"):
        files.write(path, verb)


def units() -> dict[str, str]:
    """Unit → verb of everything that is still to do."""
    return {p.name: p.read_text() for p in sorted(FOLDER.glob("*"))} if FOLDER.is_dir() else {}


def done(names: list[str]) -> None:
    """Forget units that have been dealt with."""
    for name in names:
        (FOLDER / name).unlink(missing_ok=True)
    if FOLDER.is_dir():
        files.sync_folder(FOLDER)
