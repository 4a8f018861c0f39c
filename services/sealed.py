"""Files that only the holder of one private key can read: X25519, HKDF-SHA256, AES-256-GCM in pieces.

Form: `DSSSEAL1`, 4 bytes length, a JSON header in the clear, then pieces of 1 MiB of plain text with 16 bytes
of tag each. The header holds the sender's one-time public key and what the writer says of the content; its
hash goes into the key, so it cannot be changed unseen. The nonce counts the pieces and marks the last (the
STREAM construction), so pieces cannot be left out, doubled or put in another order.
"""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.runtime.errors import Problem

MAGIC, PREFIX = b"DSSSEAL1", "x25519:"
PIECE, TAG, MOST_HEADER = 1 << 20, 16, 64 * 1024


def public_text(key: X25519PrivateKey) -> str:
    """The public half as one word for an inventory."""
    return PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def recipient(text: str) -> X25519PublicKey:
    """The public key in such a word; ValueError when it is none."""
    raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    if not text.startswith(PREFIX) or len(raw) != 32:
        raise ValueError("a key is the word x25519: and 32 bytes in Base64")
    return X25519PublicKey.from_public_bytes(raw)


@dataclass(frozen=True)
class Cipher:
    """The key of one file."""

    key: AESGCM

    @classmethod
    def of(cls, shared: bytes, header: bytes) -> "Cipher":
        digest = hashes.Hash(hashes.SHA256())
        digest.update(header)
        derived = HKDF(hashes.SHA256(), 32, digest.finalize(), b"DSS sealed file").derive(shared)
        return cls(AESGCM(derived))

    def seal(self, number: int, piece: bytes, last: bool) -> bytes:
        return self.key.encrypt(number.to_bytes(11) + bytes([last]), piece, None)

    def open(self, number: int, piece: bytes, last: bool) -> bytes:
        return self.key.decrypt(number.to_bytes(11) + bytes([last]), piece, None)


class Writer:
    """A writable stream that seals what it gets; `close` writes the last piece."""

    def __init__(self, target: IO[bytes], to: str, about: dict[str, Any]) -> None:
        once = X25519PrivateKey.generate()
        header = json.dumps({"to": to, "from": public_text(once), **about}, sort_keys=True).encode()
        self.target, self.number, self.waiting = target, 0, bytearray()
        self.cipher = Cipher.of(once.exchange(recipient(to)), header)
        target.write(MAGIC + len(header).to_bytes(4) + header)

    def write(self, data: bytes) -> int:
        """Take bytes; pieces that are complete go out."""
        self.waiting += data
        while len(self.waiting) > PIECE:
            self._put(bytes(self.waiting[:PIECE]), last=False)
            del self.waiting[:PIECE]
        return len(data)

    def close(self) -> None:
        """Write what is left, marked as the end."""
        self._put(bytes(self.waiting), last=True)
        self.waiting.clear()

    def _put(self, piece: bytes, last: bool) -> None:
        self.target.write(self.cipher.seal(self.number, piece, last))
        self.number += 1


def header(source: IO[bytes]) -> tuple[bytes, dict[str, Any]]:
    """The header as it stands and as it reads; Problem when this is no sealed file."""
    start = source.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :])
    raw = source.read(length) if length <= MOST_HEADER else b""
    try:
        if start[: len(MAGIC)] != MAGIC or len(raw) != length:
            raise ValueError("it does not begin as one")
        found: dict[str, Any] = json.loads(raw)
        recipient(found["from"])
    except (ValueError, KeyError, TypeError) as problem:
        raise _broken(f"It is no backup: {problem}") from problem
    return raw, found


def pieces(source: IO[bytes], cipher: Cipher) -> Iterator[bytes]:
    """The plain text piece by piece, each proven; Problem when one is damaged or the end is missing."""
    number, sealed = 0, source.read(PIECE + TAG)
    while True:
        following = source.read(PIECE + TAG)
        try:
            yield cipher.open(number, sealed, last=not following)
        except InvalidTag as problem:
            raise _broken(f"Piece {number} is damaged, or the file was cut off there") from problem
        if not following:
            return
        number, sealed = number + 1, following


def check(path: Path, cipher: Cipher) -> int:
    """Read a whole file back with the key of its writer; bytes of plain text in it."""
    with path.open("rb") as source:
        header(source)
        return sum(len(piece) for piece in pieces(source, cipher))


def unseal(path: Path, private: X25519PrivateKey, target: Path) -> dict[str, Any]:
    """Write the plain text of `path` to `target` (0600) and return its header.

    Problem when it is damaged or meant for another key; then there is no `target`.
    """
    with path.open("rb") as source:
        raw, found = header(source)
        if found["to"] != public_text(private):
            raise Problem(
                "other-key",
                f"{path} cannot be opened with this key.",
                f"It was written for {found['to']}, this key is {public_text(private)}.",
                "Use the private key that belongs to the dss_backup_key of that time.",
            )
        cipher = Cipher.of(private.exchange(recipient(found["from"])), raw)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                for piece in pieces(source, cipher):
                    stream.write(piece)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    return found


def _broken(why: str) -> Problem:
    return Problem("damaged", "The backup cannot be used.", f"{why}.", "Use another copy or an older backup.")
