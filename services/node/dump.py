"""The database as one SQL file: made while it is in use, loaded as a whole, tried in a schema of its own."""

import os
import re
import subprocess
from pathlib import Path

from services.node import database, files
from services.runtime.errors import Problem

SECONDS = 3600


def write(name: str, target: Path) -> None:
    """Dump the database `name` to `target` (0600), one moment of it; complete or not at all.

    Raises Problem, then nothing is left of it.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    working = target.with_name(target.name + ".new")
    command = ["mariadb-dump", "--no-defaults", f"--socket={database.SOCKET}", "--user=root",
               "--single-transaction", "--quick", "--routines", "--triggers", "--events",
               "--hex-blob", "--skip-comments", name]  # fmt: skip
    try:
        with working.open("wb") as stream:
            working.chmod(0o600)
            done = subprocess.run(
                command, stdout=stream, stderr=subprocess.PIPE, check=False, timeout=SECONDS
            )
            stream.flush()
        _check(done, "The database could not be dumped")
        subprocess.run(["sync", str(working)], check=True)
        working.replace(target)
        files.sync_folder(target.parent)
    except OSError as problem:
        raise Problem(
            "dump-failed", "The database could not be dumped.", f"{problem}.", "Make room, then run it again."
        ) from problem
    finally:
        working.unlink(missing_ok=True)


def load(source: Path, name: str) -> None:
    """Replace the database `name` by the dump; Problem when it cannot be read."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    command = ["mariadb", "--no-defaults", f"--socket={database.SOCKET}", "--user=root", "--batch", name]
    with source.open("rb") as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, check=False, timeout=SECONDS)
    _check(done, "The dump could not be loaded")


def drop(name: str) -> None:
    """Remove a database, if it is there."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")


def _check(done: "subprocess.CompletedProcess[bytes]", what: str) -> None:
    if done.returncode:
        raise Problem(
            "dump-failed",
            f"{what}.",
            _words((done.stderr or b"").decode(errors="replace")) or f"exit code {done.returncode}",
            "Check free space and `journalctl -u mariadb`, then run it again.",
        )


def _words(text: str) -> str:
    """The end of MariaDB's message, with what its error numbers mean."""
    named = re.sub(r"errno (\d+)", lambda found: f"{found[0]} ({os.strerror(int(found[1]))})", text)
    return named.strip()[-1500:]
