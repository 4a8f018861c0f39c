"""HTTP digest for the bridge: the user is a device's id, the password this node's token (RFC 7616, MD5)."""

import hashlib
import hmac
import secrets
import time

from services.runtime import config
from services.runtime.rtsp_auth import challenges

REALM = "dss-ars"
NONCE_SECONDS = 300
_SECRET = secrets.token_bytes(32)


def challenge() -> str:
    """Value of WWW-Authenticate."""
    return f'Digest realm="{REALM}", qop="auth", nonce="{_nonce(int(time.time()))}", algorithm=MD5'


def user(method: str, uri: str, header: str) -> str | None:
    """Whose id the Authorization header names, if it proves this node's token for this method and URI."""
    given = next((one.parameters for one in challenges([header]) if one.scheme == "digest"), {})
    name, nonce = given.get("username", ""), given.get("nonce", "")
    if not _fresh(nonce) or given.get("uri") != uri:
        return None
    secret = _md5(f"{name}:{REALM}:{config.credential('node-token')}")
    middle = ":".join(given.get(key, "") for key in ("nc", "cnonce", "qop"))
    wanted = _md5(f"{secret}:{nonce}:{middle}:{_md5(f'{method}:{uri}')}")
    return name if hmac.compare_digest(wanted, given.get("response", "")) else None


def _nonce(at: int) -> str:
    return f"{at:x}.{hmac.new(_SECRET, str(at).encode(), hashlib.sha256).hexdigest()[:32]}"


def _fresh(nonce: str) -> bool:
    try:
        at = int(nonce.partition(".")[0], 16)
    except ValueError:
        return False
    return abs(time.time() - at) <= NONCE_SECONDS and hmac.compare_digest(nonce.encode(), _nonce(at).encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
