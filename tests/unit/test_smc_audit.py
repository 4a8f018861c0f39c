"""The audit log's chain."""

import importlib
import threading
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from services.smc import audit

if TYPE_CHECKING:
    from tests.conftest import Platform

FORGERIES = {
    "changed": "UPDATE audit SET actor='mallory' WHERE id=2",
    "removed": "DELETE FROM audit WHERE id=2",
    "moved in time": "UPDATE audit SET at=at - INTERVAL 1 MICROSECOND WHERE id=2",
}


def fill(platform: "Platform", entries: int) -> None:
    with platform.session() as session:
        for number in range(entries):
            audit.write(
                session, "test.do", f"thing {number}", actor="ana", details={"number": number, "word": "ñ✓"}
            )


def test_an_untouched_chain_is_whole(platform: "Platform") -> None:
    fill(platform, 4)
    with platform.session() as session:
        assert audit.verify(session) == audit.Verdict(True, 4, None, "the chain is whole")
        newest = audit.listing(session, limit=1)[0]
    assert (newest.id, newest.target, newest.details) == (4, "thing 3", {"number": 3, "word": "ñ✓"})


@pytest.mark.parametrize("kind", ["changed", "removed", "moved in time"])
def test_a_forged_entry_is_found(platform: "Platform", kind: str) -> None:
    fill(platform, 4)
    forge(platform, FORGERIES[kind])
    with platform.session() as session:
        verdict = audit.verify(session)
    assert (verdict.ok, verdict.broken_at) == (False, 2)


def test_swapped_entries_are_found(platform: "Platform") -> None:
    fill(platform, 4)
    forge(
        platform,
        "UPDATE audit SET id=9 WHERE id=2",
        "UPDATE audit SET id=2 WHERE id=3",
        "UPDATE audit SET id=3 WHERE id=9",
    )
    with platform.session() as session:
        assert audit.verify(session).broken_at == 2


def test_a_tail_that_was_cut_off_is_found(platform: "Platform") -> None:
    fill(platform, 4)
    forge(platform, "DELETE FROM audit WHERE id=4")
    with platform.session() as session:
        assert audit.verify(session).ok is False


def forge(platform: "Platform", *statements: str) -> None:
    """Change the log as someone with full rights on the server would."""
    verbs = ("update", "delete")
    platform.mariadb.execute("USE dss", *(f"DROP TRIGGER audit_no_{verb}" for verb in verbs))
    try:
        platform.mariadb.execute("USE dss", *statements)
    finally:
        platform.mariadb.execute("USE dss", *first_tables().TRIGGERS)


def first_tables() -> ModuleType:
    return importlib.import_module("services.smc.migrations.versions.0001_first_tables")


def test_writers_at_once_leave_one_whole_chain(platform: "Platform") -> None:
    threads = [threading.Thread(target=fill, args=(platform, 5)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with platform.session() as session:
        assert audit.verify(session) == audit.Verdict(True, 30, None, "the chain is whole")
