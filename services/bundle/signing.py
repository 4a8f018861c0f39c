"""The project's own Ed25519 key (RFC 8032): made on first use, signs the manifest of every bundle."""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from services.bundle.releases import problem

SIGNATURE_BYTES = 64


def folder() -> Path:
    """Where the key and the trusted public keys (*.pub) lie: `$DSS_KEYS`, default ~/.config/dss."""
    return Path(os.environ.get("DSS_KEYS") or Path.home() / ".config/dss")


def default_key() -> Path:
    """The signing key that is used unless another one is named."""
    return folder() / "bundle-signing.key"


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path` (PEM, PKCS #8); made there, readable by its owner only, when the file is missing."""
    if not path.exists():
        _make(path)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as reason:
        raise _unusable(path, str(reason)) from reason
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "it is a key of another kind")
    return key


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public half, as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public(path: Path) -> Ed25519PublicKey:
    """A public key from a PEM file; raises Problem when it is none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError as reason:
        raise _unusable(path, str(reason)) from reason
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(path, "it is a key of another kind")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key in groups of four, for people to compare."""
    text = hashlib.sha256(_raw(key)).hexdigest()
    return " ".join(text[i : i + 4] for i in range(0, 32, 4))


def trusted(extra: Path | None = None) -> list[Ed25519PublicKey]:
    """Keys this controller accepts: its own signing key, every *.pub beside it, and `extra`."""
    keys = [read_public(path) for path in [*sorted(folder().glob("*.pub")), *([extra] if extra else [])]]
    if default_key().exists():
        keys.append(private_key(default_key()).public_key())
    return keys


def accepts(keys: list[Ed25519PublicKey], key: Ed25519PublicKey) -> bool:
    """Whether `key` is one of `keys`."""
    return _raw(key) in [_raw(known) for known in keys]


def valid(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` was made with the private half of `key`."""
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _make(path: Path) -> None:
    """Exclusive creation: of two first runs at once, only one makes the key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    working = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(working, path)
    except FileExistsError:
        pass
    finally:
        working.unlink()


def _unusable(path: Path, reason: str) -> Exception:
    return problem(
        "key",
        f"{path} holds no usable Ed25519 key.",
        f"Reading it failed: {reason}.",
        "Put the right key there, name another with --key, or remove the file so that a new key is made.",
    )
