"""The keys of a node that wrap those of its encrypted recordings: one a line in hex, the newest first.

New recordings use the first one; the others stay for those that were made with them.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

NAME = "recording-keys"
"""What the credential is called."""
ID_SIZE, KEY_SIZE = 8, 32
_PURPOSE = b"DSS recording key"


@dataclass(frozen=True)
class Key:
    """256 random bits; `id` names them and tells nothing of them."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(_PURPOSE + self.secret).digest()[:ID_SIZE]


def new() -> Key:
    """A key that nobody had before."""
    return Key(secrets.token_bytes(KEY_SIZE))


def read(text: str) -> tuple[Key, ...]:
    """The keys of a credential, at least one; ValueError when it holds something else."""
    found = tuple(Key(bytes.fromhex(line)) for line in text.split())
    if not found or any(len(one.secret) != KEY_SIZE for one in found):
        raise ValueError(f"a list of keys has {KEY_SIZE} bytes in hex on each line")
    return found


def written(keys: Iterable[Key]) -> str:
    """The credential that holds these keys, each once."""
    return "".join(f"{one.secret.hex()}\n" for one in dict.fromkeys(keys))


def united(path: Path, more: bytes) -> bytes:
    """What is kept where a node that has keys at `path` is given others by a backup: its own go first."""
    own = read(path.read_text()) if path.is_file() and path.stat().st_size else ()
    return written([*own, *read(more.decode())]).encode()
