"""A release's migrations, tried on a copy of the database before anything of the node is touched."""

from pathlib import Path

from services.node import database, dump
from services.runtime.errors import Problem

SCRATCH = "dss_trial"


def run(name: str, folder: Path) -> list[str]:
    """The steps that the migrations would take; empty when there is none.

    Raises Problem when they fail, or when the release before could not work with their result.
    """
    steps = database.pending_migrations(name)
    if not steps:
        return []
    copy = folder / "trial.sql"
    try:
        dump.write(name, copy)
        dump.load(copy, SCRATCH)
        before = database.columns(SCRATCH)
        database.migrate(SCRATCH)
        _need_compatible(before, database.columns(SCRATCH))
    finally:
        copy.unlink(missing_ok=True)
        dump.drop(SCRATCH)
    return steps


def _need_compatible(before: dict[str, tuple[str, bool]], after: dict[str, tuple[str, bool]]) -> None:
    """Problem when the release before, to which a node may go back, could not use the new schema."""
    gone = sorted(before.keys() - after.keys() - database.dropped_on_purpose())
    tables = {name.partition(".")[0] for name in before}
    new = after.keys() - before.keys()
    needed = sorted(n for n in new if n.partition(".")[0] in tables and not after[n][1])
    if not gone and not needed:
        return
    faults = [
        *(f"{name} is gone" for name in gone),
        *(f"{name} is new and has no default" for name in needed),
    ]
    raise Problem(
        "migration-breaks-the-way-back",
        "This release changes the database so that the one before it could not be used any more.",
        f"After its migrations: {', '.join(faults)}.",
        "Keep the release that runs, and report this as a fault of the new one.",
    )
