"""The database of main: made, given its users and its newest schema, as root over the local socket."""

import subprocess
from pathlib import Path

import pymysql
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from services.node import activate, files
from services.node.report import Report
from services.runtime.errors import Problem
from services.smc import migrations, store

SOCKET = "/run/mysqld/mysqld.sock"
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, EXECUTE"
"""What a service may do with the rows of its database; the schema is changed by root alone."""


def prepare_folder(folder: Path, check: bool = False) -> Report:
    """Make MariaDB's data folder under the install path when there is none, complete or not at all."""
    report = Report()
    if (folder / "mysql").is_dir():
        return report
    report.add(f"database folder {folder}")
    if check:
        return report
    fresh = folder.with_name(folder.name + ".new")
    subprocess.run(["rm", "-rf", "--", str(fresh)], check=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run(["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={fresh}", "--skip-test-db",
          "--auth-root-authentication-method=socket"])  # fmt: skip
    if folder.is_dir():
        folder.rmdir()
    fresh.chmod(0o700)
    fresh.rename(folder)
    files.sync_folder(folder.parent)
    return report


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise Problem(
            "database-folder-failed",
            f"{words[0]} failed with code {done.returncode}.",
            (done.stderr or done.stdout).strip()[-2000:],
            "Check space and permissions of dss_install_path, then run the playbook again.",
        )


def connect() -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
    """A connection as root over the local socket; Problem when MariaDB is not there."""
    try:
        return pymysql.connect(unix_socket=SOCKET, user="root", autocommit=True)
    except pymysql.MySQLError as problem:
        raise Problem(
            "database-unreachable",
            "MariaDB does not answer on this node.",
            f"{problem}.",
            "Look at `journalctl -u mariadb`, correct the cause and run the playbook again.",
        ) from problem


def ensure(check: bool = False) -> Report:
    """Database, users and schema as this release needs them; nothing where they already are."""
    where, report = store.engine().url, Report()
    if not check:
        activate.start_alone("mariadb.service")
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name=%s", (where.database,))
        if not cursor.fetchone():
            report.add(f"database {where.database}")
            if check:
                return report
            cursor.execute(f"CREATE DATABASE `{where.database}` CHARACTER SET utf8mb4")
        if not _may_log_in():
            report.add(f"database user {where.username}")
            if not check:
                _make_user(cursor, where)
    report.extend(_migrate(str(where.database), check))
    return report


def _may_log_in() -> bool:
    """Whether the service's own user and password work, and may use the database."""
    try:
        store.engine().connect().close()
    except SQLAlchemyError:
        return False
    return True


def _make_user(cursor: pymysql.cursors.Cursor, where: URL) -> None:
    for host in ("localhost", "127.0.0.1"):
        user = (where.username, host)
        cursor.execute("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY %s", (*user, where.password))
        cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (*user, where.password))
        cursor.execute(f"GRANT {RIGHTS} ON `{where.database}`.* TO %s@%s", user)


def _migrate(name: str, check: bool) -> list[str]:
    """Bring the schema to the newest revision; the steps taken.

    A schema that a newer release left behind stays: what a release changes, the one before it can work with.
    """
    scripts, engine = _scripts(), root_engine(name)
    head = scripts.get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == head or (current and current not in {s.revision for s in scripts.walk_revisions()}):
        return []
    if not check:
        migrations.upgrade(engine)
    return [f"database schema {current or 'empty'} → {head}"]


def migrate(name: str) -> list[str]:
    """Bring the schema of a database to this release; Problem with the database's words when that fails."""
    try:
        return _migrate(name, check=False)
    except (SQLAlchemyError, RuntimeError, CommandError) as problem:
        raise Problem(
            "migration-failed",
            f"The database {name} could not be brought to this release.",
            f"{problem}."[:1500],
            "This is a fault of the release: keep the older one and report it with these lines.",
        ) from problem


def pending_migrations(name: str) -> list[str]:
    """What `migrate` would do."""
    return _migrate(name, check=True)


def dropped_on_purpose() -> set[str]:
    """Columns (`table.column`) that migrations of this release take away by their own declaration DROPS."""
    scripts = _scripts().walk_revisions()
    return {name for script in scripts for name in getattr(script.module, "DROPS", ())}


def columns(name: str) -> dict[str, tuple[str, bool]]:
    """`table.column` → (type, whether a row can be added without naming it), of a database."""
    query = (
        "SELECT CONCAT(table_name, '.', column_name), column_type, "
        "is_nullable='YES' OR column_default IS NOT NULL OR extra LIKE '%%auto_increment%%' "
        "FROM information_schema.columns WHERE table_schema=%s"
    )
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(query, (name,))
        return {str(row[0]): (str(row[1]), bool(row[2])) for row in cursor.fetchall()}


def root_engine(name: str) -> Engine:
    """The way to a database as root, who alone may change its schema; no connection outlives its use."""
    address = URL.create("mysql+pymysql", username="root", database=name, query={"unix_socket": SOCKET})
    return create_engine(address, poolclass=NullPool)


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    return ScriptDirectory.from_config(config)
