"""The database of main: made, given its users and its newest schema, as root over the local socket."""

import subprocess
from pathlib import Path

import pymysql
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine
from sqlalchemy.exc import SQLAlchemyError

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
    """Bring the schema to the newest revision; the steps taken."""
    address = URL.create("mysql+pymysql", username="root", database=name, query={"unix_socket": SOCKET})
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    head = ScriptDirectory.from_config(config).get_current_head()
    engine = create_engine(address)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return []
    if not check:
        migrations.upgrade(engine)
    return [f"database schema {current or 'empty'} → {head}"]
