"""Signed one-time tokens for live pictures; apart from the HTTP part, so that the portal needs no aiohttp."""

import base64
import json
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from services.runtime.errors import Problem

LONGEST_TOKEN = 2048


@dataclass(frozen=True)
class LiveToken:
    """Permission for one viewing: who, which channel, which node, until when (Unix seconds), once (nonce)."""

    user: str
    channel: str
    node: str
    expires: float
    nonce: str


def sign_live(private_pem: str, token: LiveToken) -> str:
    """`<payload>.<signature>`, both base64url without padding; Ed25519 (RFC 8032) over the payload text."""
    key = load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("live tokens are signed by an Ed25519 key")
    payload = _encode(json.dumps(asdict(token), separators=(",", ":")).encode())
    return f"{payload}.{_encode(key.sign(payload.encode()))}"


def verify_live(public_pem: str, text: str, now: float) -> LiveToken:
    """The token of `text` if main signed it and it is valid at `now` (Unix seconds); else Problem (403).

    The caller still has to compare channel and node, and to accept each nonce once.
    """
    key = load_pem_public_key(public_pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("live tokens are verified by an Ed25519 key")
    try:
        payload, signature = text[:LONGEST_TOKEN].split(".")
        key.verify(_decode(signature), payload.encode())
        token = LiveToken(**json.loads(_decode(payload)))
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _refused("It was not issued by the main node of this site, or it was changed.") from error
    if token.expires <= now:
        raise _refused("It has expired: it is valid for half a minute only.")
    return token


def _refused(why: str) -> Problem:
    return Problem(
        "live-token-refused",
        "The live picture was refused: its token is not valid.",
        why,
        "Open the channel again.",
        status=403,
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
