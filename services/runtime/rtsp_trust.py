"""Which certificate an rtsps camera must show, as the fragment of its URL says; that is never sent.

Nothing: any, because cameras carry self-made certificates. TLS then hides the stream, but does not prove
which camera it is. `#sha256=<fingerprint>`: that one. `#ca`: one that the host's authorities signed for the
camera's name.
"""

import hashlib
import hmac
import re
import ssl
from functools import cache

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_PIN = re.compile(r"sha256=([0-9a-f]{64})")


def wanted(fragment: str) -> str:
    """The fragment in its usual form; raises ValueError for one that says nothing of trust."""
    plain = fragment.lower().replace(":", "")
    if plain in ("", "ca") or _PIN.fullmatch(plain):
        return plain
    raise ValueError("behind # stands neither ca nor sha256= with the 64 digits of a fingerprint")


@cache
def context(wish: str) -> ssl.SSLContext:
    """For a handshake with such a camera, before `proven` is asked; raises OSError without authorities."""
    if wish == "ca":
        return ssl.create_default_context(cafile=AUTHORITIES)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def proven(wish: str, certificate: bytes | None) -> str:
    """Why this certificate (DER) is not the wanted one; empty when it is."""
    pinned = _PIN.fullmatch(wish)
    if pinned is None:
        return ""
    shown = hashlib.sha256(certificate or b"").hexdigest()
    return (
        "" if hmac.compare_digest(shown, pinned[1]) else f"it shows sha256={shown}, and {pinned[1]} is pinned"
    )
