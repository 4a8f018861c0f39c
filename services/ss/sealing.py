"""Encryption of what lies on the storage folders: a random key for each file, wrapped by one of the node.

A file begins with 56 bytes: `DSSSEAL2`, the id of the node's key (8), the file's own key wrapped by it (40,
RFC 3394). Then come parts, each encrypted by AES-256-GCM with a random nonce, bound to the file's name and to
its place: none can be altered, moved or brought in from elsewhere unseen. No nonce follows from a
position, so what is written anew never uses one twice.
"""

import logging
import os
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from services import recording_keys
from services.recording_keys import ID_SIZE, KEY_SIZE, Key
from services.runtime import config
from services.runtime.errors import Problem
from services.ss.boxes import TornError

LOG = logging.getLogger(__name__)

MAGIC = b"DSSSEAL2"
HEADER = len(MAGIC) + ID_SIZE + KEY_SIZE + 8
NONCE, TAG = 12, 16
MOST_NAMED = 20
"""Damaged files that are named in the state."""


class KeyMissingError(OSError):
    """This node does not have the key of a file."""


class DamagedError(TornError):
    """The bytes are not those that were written here."""


@dataclass
class _Use:
    on: bool = False


_USE = _Use()
_DAMAGED: OrderedDict[str, str] = OrderedDict()


def use(on: bool) -> None:
    """Whether this process encrypts new files; Problem when it shall and has no key."""
    if on:
        _ring()
    _USE.on = on


def writing() -> Key | None:
    """The key for new files; None while they are not encrypted."""
    return next(iter(_ring().values())) if _USE.on else None


def held() -> list[str]:
    """The ids of this node's keys, the newest first."""
    try:
        return [id.hex() for id in _ring()]
    except Problem:
        return []


@lru_cache(maxsize=1)
def _ring() -> dict[bytes, Key]:
    try:
        return {one.id: one for one in recording_keys.read(config.credential(recording_keys.NAME))}
    except ValueError as error:
        raise Problem(
            "recording-keys", "The keys for recordings cannot be used.", f"{error}.",
            f"Restore /etc/dss/credentials/{recording_keys.NAME} from a backup, then restart the service.",
        ) from error  # fmt: skip


@dataclass(frozen=True)
class Cipher:
    """The key of one file, bound to its name."""

    name: str
    key: AESGCM

    def seal(self, place: int, plain: bytes | bytearray | memoryview) -> tuple[bytes, bytes]:
        """Nonce, and cipher text with its tag, of a part at `place`."""
        nonce = os.urandom(NONCE)
        return nonce, self.key.encrypt(nonce, plain, self._about(place))

    def open(self, place: int, nonce: bytes, sealed: bytes) -> bytes:
        """The plain text of a part; DamagedError when it is not the one that was written at this place."""
        try:
            return self.key.decrypt(nonce, sealed, self._about(place))
        except (InvalidTag, ValueError) as error:
            raise DamagedError(f"{self.name} was altered or damaged in its part at {place}") from error

    def _about(self, place: int) -> bytes:
        return f"{self.name}\0{place}".encode()


def begin(key: Key, name: str) -> tuple[bytes, Cipher]:
    """The header of a new file, and its cipher."""
    own = os.urandom(KEY_SIZE)
    return MAGIC + key.id + aes_key_wrap(key.secret, own), Cipher(name, AESGCM(own))


def known(header: bytes, name: str) -> Cipher:
    """The cipher of a file that begins so.

    KeyMissingError; DamagedError for another header; TornError for none, as a power cut leaves it.
    """
    if len(header) < HEADER or not any(header):
        raise TornError(f"{name} ends inside its header")
    id, wrapped = header[len(MAGIC) :][:ID_SIZE], header[len(MAGIC) + ID_SIZE : HEADER]
    if not header.startswith(MAGIC):
        raise DamagedError(f"the header of {name} was altered or damaged")
    key = _key(id, name)
    try:
        return Cipher(name, AESGCM(aes_key_unwrap(key.secret, wrapped)))
    except InvalidUnwrap as error:
        raise DamagedError(f"the header of {name} was altered or damaged") from error


def key_of(header: bytes) -> bytes:
    """The id of the key that a header names."""
    return header[len(MAGIC) : len(MAGIC) + ID_SIZE]


def _key(id: bytes, name: str) -> Key:
    try:
        return _ring()[id]
    except (KeyError, Problem) as error:
        raise KeyMissingError(f"{name} needs the recording key {id.hex()}, which this node lacks") from error


def name_of(path: Path) -> str:
    """What a recording's parts are bound to: its channel and its own name, wherever its folder lies."""
    return f"{path.parents[1].name}/{path.stem}"


def notice(path: Path, error: DamagedError) -> None:
    """Keep in mind that a file is damaged, and say it once in the log."""
    if str(path) not in _DAMAGED:
        LOG.error("%s: %s", path, error)
        _DAMAGED[str(path)] = str(error)
        while len(_DAMAGED) > MOST_NAMED:
            _DAMAGED.popitem(last=False)


def damaged() -> list[str]:
    """The files that were found damaged since the start, the last ones."""
    return list(_DAMAGED)
