"""The way to the platform's database, and the unit of work every function here is."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from services.runtime import config, db
from services.runtime.errors import Problem

P = ParamSpec("P")
R = TypeVar("R")

# 1020 row changed since the snapshot (innodb_snapshot_isolation), 1205 lock wait, 1213 deadlock:
# in each the server undid the statement or transaction, so running the whole unit again is right.
MEET = {1020, 1205, 1213}
AWAY = {2002, 2003, 2006, 2013, 2055, 1053, 1927}
ATTEMPTS = 12


@lru_cache(maxsize=1)
def engine() -> Engine:
    """This process's engine, from smc.json and the credential db-smc."""
    return db.engine(config.load_service("smc"))


@contextmanager
def session() -> Iterator[Session]:
    """A session for one request or one message. The functions of services.smc commit by themselves."""
    with Session(engine(), expire_on_commit=False) as one:
        try:
            yield one
        except PoolTimeoutError as error:
            raise away() from error
        except (OperationalError, InterfaceError) as error:
            if code(error) in AWAY or error.connection_invalidated:
                raise away() from error
            raise


def code(error: DBAPIError) -> int:
    """MariaDB's error number, 0 if there is none."""
    args = getattr(error.orig, "args", ())
    return args[0] if args and isinstance(args[0], int) else 0


def away() -> Problem:
    """What a user is told while MariaDB cannot be reached."""
    return Problem(
        "database-away",
        "The database cannot be reached.",
        "MariaDB on this node does not answer; it may be starting or stopped.",
        "Wait some seconds and try again; if it stays away, look at the service manager or `dss status`.",
        status=503,
    )


def unit_of_work(
    function: Callable[Concatenate[Session, P], R],
) -> Callable[Concatenate[Session, P], R]:
    """Run `function(session, …)` as one transaction, and again when two writers met.

    The outermost unit commits. A Problem commits too: functions write before raising only what has to stay,
    such as a failed login or the audit of a refusal. Any other exception undoes everything.
    """

    @wraps(function)
    def wrapped(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if session.info.get("unit"):
            return function(session, *args, **kwargs)
        session.info["unit"] = True
        try:
            return _run(session, lambda: function(session, *args, **kwargs))
        finally:
            session.info["unit"] = False

    return wrapped


def _run(session: Session, work: Callable[[], R]) -> R:
    for attempt in range(ATTEMPTS):
        # A snapshot opened by an earlier read would make the first write fail for nothing.
        session.rollback()
        try:
            return _commit(session, work)
        except DBAPIError as error:
            session.rollback()
            if code(error) not in MEET:
                raise
            time.sleep(random.uniform(0, 0.005 * 2 ** min(attempt, 6)))  # noqa: S311 - spreads writers only
        except BaseException:
            session.rollback()
            raise
    raise Problem(
        "database-busy",
        "The change could not be made.",
        f"Other changes to the same data won {ATTEMPTS} times in a row.",
        "Try again in a moment.",
        status=503,
    )


def _commit(session: Session, work: Callable[[], R]) -> R:
    try:
        result = work()
    except Problem:
        session.commit()
        raise
    session.commit()
    return result


def forget() -> None:
    """Close all connections and read the configuration again at the next use (after a fork, in tests)."""
    if engine.cache_info().currsize:
        engine().dispose()
    engine.cache_clear()
