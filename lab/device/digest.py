"""HTTP digest access authentication, MD5 with qop=auth (RFC 7616, as cameras of this family do it)."""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict

NONCES = 64


class Digest:
    """Checks the Authorization header of one user; nonces are made here and the oldest ones expire."""

    def __init__(self, realm: str, user: str, password: str) -> None:
        self.realm, self.user = realm, user
        self._secret = _md5(f"{user}:{realm}:{password}")
        self._nonces: OrderedDict[str, None] = OrderedDict()

    def challenge(self) -> str:
        """A WWW-Authenticate header."""
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = None
        while len(self._nonces) > NONCES:
            self._nonces.popitem(last=False)
        return f'Digest realm="{self.realm}", qop="auth", nonce="{nonce}", opaque="{secrets.token_hex(8)}"'

    def accepts(self, method: str, header: str | None) -> bool:
        """Whether the header proves knowledge of the password for this method and its own URI."""
        given = _fields(header or "")
        if given.get("username") != self.user or given.get("nonce") not in self._nonces:
            return False
        request = _md5(f"{method}:{given.get('uri', '')}")
        middle = [given.get(key, "") for key in ("nonce", "nc", "cnonce", "qop")]
        expected = _md5(":".join([self._secret, *middle, request]))
        return hmac.compare_digest(expected, given.get("response", ""))


def _fields(header: str) -> dict[str, str]:
    kind, _, rest = header.partition(" ")
    if kind.lower() != "digest":
        return {}
    return {k: quoted or bare for k, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
