"""`./dss backup`: the key pair that backups are encrypted for, and what a backup holds."""

import argparse
import json
import os
import tarfile
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services import sealed
from services.bundle.signing import folder
from services.cli.verb import CannotError
from services.runtime.errors import Problem

HELP = "make the key for backups, show what a backup is and check that it can be opened"
EXAMPLE = "./dss backup key; ./dss backup check main-a_20260102T023000Z_0.1.0.dssbackup"


def default_key() -> Path:
    """The private key that is used unless another one is named."""
    return folder() / "backup.key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `./dss backup`."""
    parser.add_argument("action", choices=("key", "check"))
    parser.add_argument("file", nargs="?", type=Path, help="a backup, for check")
    parser.add_argument("--key", type=Path, help=f"private key (default: {default_key()})")


def private_key(path: Path) -> X25519PrivateKey:
    """The key in `path` (PEM); CannotError when there is none."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as problem:
        raise CannotError(
            f"{path} holds no private key for backups: {problem}.\n"
            "Copy the key of this site there, or name it with --key (playbooks: -e dss_backup_private=FILE)."
        ) from problem
    if not isinstance(key, X25519PrivateKey):
        raise CannotError(f"{path} holds a key of another kind. `./dss backup key` makes the right one.")
    return key


def make(path: Path) -> X25519PrivateKey:
    """The key in `path`, made there for its owner alone when the file is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
    return private_key(path)


def check(file: Path, key: X25519PrivateKey) -> list[str]:
    """Open a backup completely; its header and content as lines. Problem when it is not whole."""
    with tempfile.TemporaryDirectory(prefix="dss-backup-") as place:
        plain = Path(place) / "backup.tar.gz"
        header = sealed.unseal(file, key, plain)
        with tarfile.open(plain) as archive:
            members = [f"{m.size:12} {m.name}" for m in archive.getmembers() if m.isfile()]
    shown = {name: header[name] for name in ("site", "node", "role", "version", "at")}
    return [json.dumps(shown), *members]


def run(args: argparse.Namespace) -> int:
    """Print the public half of the key, or what is in a backup."""
    path = args.key or default_key()
    if args.action == "key":
        print(f"dss_backup_key: {sealed.public_text(make(path))}")
        print(f"The private key is {path}. Without it no backup can be read: keep a copy in a safe place.")
        return 0
    if args.file is None:
        raise CannotError("no backup was named. Write ./dss backup check FILE.")
    try:
        print("\n".join(check(args.file, private_key(path))))
    except (Problem, OSError) as problem:
        raise CannotError(str(problem)) from problem
    return 0
