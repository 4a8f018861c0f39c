"""Asking players for a name and a secret: Digest (RFC 7616 §3), which never sends the secret."""

import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from services.runtime.rtsp_auth import HASHES, parameters

REALM = "DSS"
"""The same for ever and everywhere: the hashes of secrets hold it."""
NONCE_SECONDS, MOST_NONCES, MOST_OF_ADDRESS = 60.0, 4000, 100
_LONGEST = 4096
_DIGEST = re.compile(r"\s*Digest\s", re.IGNORECASE)


def hashes(name: str, secret: str) -> dict[str, str]:
    """By algorithm, what stands for a secret: H(name:realm:secret) in hex (RFC 7616 §3.4.2)."""
    text = f"{name}:{REALM}:{secret}".encode()
    return {algorithm: hashed(text).hexdigest() for algorithm, hashed in HASHES.items()}


@dataclass(frozen=True)
class Proof:
    """What a player answers to a challenge; `qop` is empty for the old way without it (RFC 2069)."""

    name: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: str
    cnonce: str

    def right(self, known: Mapping[str, str], method: str) -> bool:
        """Whether it is the answer of somebody who has the secret behind these hashes."""
        hashed = HASHES[self.algorithm]
        middle = f"{self.nc}:{self.cnonce}:{self.qop}:" if self.qop else ""
        asked = hashed(f"{method}:{self.uri}".encode()).hexdigest()
        text = f"{known[self.algorithm]}:{self.nonce}:{middle}{asked}"
        wanted = hashed(text.encode()).hexdigest()
        return hmac.compare_digest(wanted.encode(), self.response.lower().encode())


def read(header: str) -> Proof | None:
    """The proof in an Authorization header; None where there is none that can be checked."""
    scheme = _DIGEST.match(header)
    if scheme is None or len(header) > _LONGEST:
        return None
    said = parameters(header, scheme.end(), len(header))
    response, qop = said.get("response", ""), said.get("qop", "").lower()
    # Players that know MD5 alone answer so whatever was asked; the length tells.
    algorithm = said.get("algorithm", "MD5" if len(response) == 32 else "SHA-256").upper()
    whole = all(name in said for name in ("username", "nonce", "uri")) and said.get("realm") == REALM
    if not whole or algorithm not in HASHES or qop not in ("", "auth"):
        return None
    return Proof(said["username"], said["nonce"], said["uri"], response, algorithm, qop,
                 said.get("nc", ""), said.get("cnonce", ""))  # fmt: skip


class Challenges:
    """Numbers that were given out; each is good for one answer, soon, from the address it was given to."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def new(self, address: str, stale: bool = False) -> list[str]:
        """Challenges for WWW-Authenticate, the better one first; `stale`: the last answer came too late."""
        self._tidy(address)
        nonce = secrets.token_hex(16)
        self._given[nonce] = address, time.monotonic() + NONCE_SECONDS
        words = f'realm="{REALM}", nonce="{nonce}", qop="auth"' + (", stale=true" if stale else "")
        return [f"Digest {words}, algorithm={name}" for name in ("SHA-256", "MD5")]

    def use(self, nonce: str, address: str) -> bool:
        """Whether a number may be answered from there; from now on it may not."""
        given, until = self._given.pop(nonce, ("", 0.0))
        return given == address and time.monotonic() < until

    def _tidy(self, address: str) -> None:
        """Leave out the oldest: of everybody's, and of those who ask for many."""
        mine = [nonce for nonce, (whose, _) in self._given.items() if whose == address]
        for nonce in mine[: max(0, len(mine) - MOST_OF_ADDRESS + 1)]:
            del self._given[nonce]
        while len(self._given) >= MOST_NONCES:
            self._given.popitem(last=False)
