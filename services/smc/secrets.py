"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under the site key, bound to the thing they belong to.

The cipher is loaded at first use: main's agent imports this with the devices, and an idle one never needs it.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from services.runtime import config
from services.runtime.errors import Problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE = 12


def seal(text: str, owner: str) -> bytes:
    """Version byte, nonce, ciphertext and tag; only `owner` (a device id) can be given to open it."""
    nonce = os.urandom(NONCE)
    return (
        VERSION + nonce + _cipher(config.credential("site-key")).encrypt(nonce, text.encode(), owner.encode())
    )


def unseal(sealed: bytes, owner: str) -> str:
    """The text again; Problem if the site key is another one or the bytes were changed or moved."""
    from cryptography.exceptions import InvalidTag

    try:
        if sealed[:1] != VERSION:
            raise InvalidTag
        cipher = _cipher(config.credential("site-key"))
        return cipher.decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], owner.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise Problem(
            "secret-unreadable",
            "A stored password cannot be read.",
            "The site key is not the one it was encrypted with, or the stored value was changed.",
            "Restore the site key from the backup of main, or enter the device's password again.",
            status=500,
        ) from error


@lru_cache(maxsize=4)
def _cipher(key: str) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(bytes.fromhex(key))
