"""Who shows or checks the node's certificate, and how each takes up a new one without ending what runs.

Our own Python services look at the files themselves (services/runtime/tls.py). nginx and NATS read them again
at a signal, MariaDB at a statement. Only who was started with another key must restart: systemd hands keys
out once.
"""

import hashlib
import subprocess
from pathlib import Path

import pymysql

from services.node import files, pending, units

CREDENTIALS = Path("/run/credentials")
TOLD = files.STATE / "certificate-told"
FOLDER = files.ETC / "pki"
ENGINES = ("nginx.service", "nats-server.service")
DATABASE = "mariadb.service"
KEYS = {"node.key": None, "ca.key": "dss-smc.service"}
"""Credential → the one unit that uses it, None for all: the portal is given the authority's key, too."""


def tell() -> list[str]:
    """Make every running holder use the files as they are now; what was done, in words, empty when all know.

    What was told is written down last, so that a run that dies is made up for by the next one. An engine that
    is to be restarted anyway is left alone: it may not take its new configuration in any other way.
    """
    now, running = _digest(), _running()
    stale = [name for name in running if _other_key(name)]
    if not stale and TOLD.is_file() and TOLD.read_text() == now:
        return []
    leave = {*stale, *(name for name, verb in pending.units().items() if verb == "restart")}
    done = [_reload(name) for name in ENGINES if name in running and name not in leave]
    if DATABASE in running and DATABASE not in stale:
        _flush()
        done.append(f"reload {DATABASE}")
    done += [_turn("restart", name) for name in stale]
    files.write(TOLD, now)
    return done


def _running() -> list[str]:
    return [unit.name for unit in units.show(units.names(units.built())) if unit.state == "Running"]


def _turn(verb: str, name: str) -> str:
    units.systemctl(verb, name)
    return f"{verb} {name}"


def _reload(name: str) -> str:
    try:
        return _turn("reload", name)
    except subprocess.CalledProcessError:
        # It has only the old certificate then, which is a restart away from the new one.
        return _turn("restart", name)


def _flush() -> None:
    """MariaDB reads its certificate again; connections go on (`FLUSH SSL`, MariaDB 10.4)."""
    from services.node import database

    try:
        with database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("FLUSH SSL")
    except pymysql.MySQLError:
        # As with a reload that fails.
        units.systemctl("restart", DATABASE)


def _other_key(unit: str) -> bool:
    """Whether a running unit was handed a key that is not the one in the file any more."""
    folder = CREDENTIALS / unit
    return any(
        only in (None, unit) and handed.is_file() and handed.read_bytes() != _content(FOLDER / name)
        for name, only in KEYS.items()
        for handed in [folder / name]
    )


def _digest() -> str:
    parts = [_content(FOLDER / name) for name in ("ca.pem", "node.pem")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
