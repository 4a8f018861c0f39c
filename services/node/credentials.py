"""The secrets of a node: made here at the first deployment, kept by later ones, never sent anywhere."""

import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services import recording_keys
from services.node import files
from services.node.report import Report


def _word() -> str:
    return secrets.token_urlsafe(32)


def _bytes_as_hex() -> str:
    return secrets.token_hex(32)


def _signing_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


def _recording_key() -> str:
    return recording_keys.written([recording_keys.new()])


EVERY_NODE: dict[str, Callable[[], str]] = {"node-token": _word, recording_keys.NAME: _recording_key}
ON_MAIN: dict[str, Callable[[], str]] = {
    "db-smc": _word,
    "redis": _word,
    "mq-manager": _word,
    "session-key": _bytes_as_hex,
    "site-key": _bytes_as_hex,
    "media-key": _signing_key,
}


def wanted(main: bool) -> dict[str, Callable[[], str]]:
    """Name and maker of every credential a node of this kind holds."""
    return {**EVERY_NODE, **(ON_MAIN if main else {})}


def make_missing(folder: Path, main: bool, check: bool = False) -> Report:
    """Create what is missing in `folder` (0700), each file 0600; an empty file counts as missing."""
    report = Report()
    if not check:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    for name, make in wanted(main).items():
        path = folder / name
        if path.is_file() and path.stat().st_size:
            report.add(f"mode of credential {name}", _tighten(path, check))
            continue
        if not check:
            files.write(path, make(), 0o600)
        report.add(f"credential {name}")
    return report


def _tighten(path: Path, check: bool) -> bool:
    """Take everybody else's access to a credential away; True when it had to be done."""
    if path.stat().st_mode & 0o077 == 0:
        return False
    if not check:
        path.chmod(0o600)
    return True
