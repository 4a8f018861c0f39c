"""The schema and the unit of work, on a real MariaDB."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, migrations, models, store

if TYPE_CHECKING:
    from tests.conftest import MariaDb, Platform


def differences(mariadb: "MariaDb") -> list[object]:
    engine = create_engine(mariadb.url)
    try:
        with engine.connect() as connection:
            # MariaDB's JSON is LONGTEXT with a check.
            options = {"compare_type": lambda *a: False if isinstance(a[3], LONGTEXT) else None}
            context = MigrationContext.configure(connection, opts=options)
            return [
                one
                for one in compare_metadata(context, models.Base.metadata)
                if "alembic_version" not in str(one)
            ]
    finally:
        engine.dispose()


def test_migrations_make_exactly_the_tables_of_the_models(migrated: "MariaDb") -> None:
    assert differences(migrated) == []


def test_a_migration_cut_in_the_middle_is_finished_by_the_next_run(migrated: "MariaDb") -> None:
    migrated.execute(
        "USE dss",
        "DROP TABLE bookmarks, recording_plans, channels",
        "DROP TRIGGER audit_no_delete",
        "DELETE FROM alembic_version",
    )
    engine = create_engine(migrated.url)
    migrations.upgrade(engine)
    engine.dispose()
    assert differences(migrated) == []


@pytest.mark.parametrize("change", ["UPDATE audit SET actor='x'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_the_audit_log(platform: "Platform", change: str) -> None:
    with platform.session() as session:
        audit.write(session, "test")
        with pytest.raises(DBAPIError, match="cannot be changed"):
            session.execute(text(change))


def test_times_come_back_as_they_went_with_zone_and_microseconds(platform: "Platform") -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
    with platform.session() as session:
        session.add(models.Setting(key="k", value="v", changed_at=moment))
        session.commit()
    with platform.session() as session:
        assert session.get_one(models.Setting, "k").changed_at == moment


def test_two_writers_that_meet_both_get_their_work_done(platform: "Platform") -> None:
    with platform.session() as session:
        session.add(models.Setting(key="n", value="0", changed_at=clock.now()))
        session.commit()
    meet, runs = threading.Barrier(2), []

    @store.unit_of_work
    def count(session: Session) -> None:
        row = session.get_one(models.Setting, "n")
        runs.append(1)
        if len(runs) <= 2:
            meet.wait(10)
        row.value = str(int(row.value) + 1)
        session.flush()

    def work() -> None:
        with platform.session() as session:
            count(session)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with platform.session() as session:
        assert session.get_one(models.Setting, "n").value == "2"
    assert len(runs) > 2, "the writers did not meet"


def test_a_problem_keeps_what_was_written_and_an_accident_does_not(platform: "Platform") -> None:
    @store.unit_of_work
    def write(session: Session, key: str, error: Exception) -> None:
        session.add(models.Setting(key=key, value="", changed_at=clock.now()))
        session.flush()
        raise error

    with platform.session() as session:
        with pytest.raises(Problem):
            write(session, "kept", Problem("x", "x"))
        with pytest.raises(KeyError):
            write(session, "gone", KeyError())
        assert session.get(models.Setting, "kept") is not None
        assert session.get(models.Setting, "gone") is None


def test_a_database_that_is_away_is_told_as_503(platform: "Platform", free_port: Callable[[], int]) -> None:
    where = {"host": "127.0.0.1", "port": free_port(), "name": "dss", "user": "dss-smc"}
    platform.files.service("smc", {"http": 1}, {"database": where, "redis": {}})
    store.forget()
    with pytest.raises(Problem) as caught, platform.session() as session:
        session.get(models.Setting, "k")
    assert (caught.value.code, caught.value.status) == ("database-away", 503)


def test_what_was_acknowledged_survives_a_killed_server(platform: "Platform") -> None:
    acknowledged: list[int] = []

    def write() -> None:
        with suppress(DBAPIError, Problem), platform.session() as session:
            while True:
                acknowledged.append(audit.write(session, "test.do"))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 100:
        time.sleep(0.01)
    platform.mariadb.crash()
    for thread in threads:
        thread.join(60)
    with platform.session() as session:
        verdict = audit.verify(session)
        kept = set(session.scalars(select(models.Audit.id)))
    assert verdict.ok, verdict
    assert set(acknowledged) <= kept
    assert len(kept) - len(acknowledged) <= len(threads), "a thread has one entry under way at most"
