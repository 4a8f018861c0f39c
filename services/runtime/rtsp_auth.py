"""Answering challenges: Digest with MD5 or SHA-256 (RFC 7616, RFC 2069 without qop), Basic (RFC 7617)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

_PAIR = re.compile(r'(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{1,64})\s{0,8}=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_SCHEME = re.compile(r"(?:^|,)\s*(Digest|Basic)\b", re.IGNORECASE)
HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
}


@dataclass(frozen=True)
class Challenge:
    """One offered way to prove who we are; parameter names are lower case."""

    scheme: str
    parameters: dict[str, str]

    @property
    def algorithm(self) -> str:
        return self.parameters.get("algorithm", "MD5").upper()

    @property
    def stale(self) -> bool:
        """The server knew the answer to be right, only the nonce was too old."""
        return self.parameters.get("stale", "").lower() == "true"

    @property
    def strength(self) -> int:
        """Higher is better; 0 cannot be answered."""
        if self.scheme == "basic":
            return 1
        qop = self.parameters.get("qop", "auth")
        known = self.algorithm.removesuffix("-SESS") in HASHES and "nonce" in self.parameters
        if not known or "auth" not in re.split(r"[\s,]+", qop):
            return 0
        return 3 if self.algorithm.startswith("SHA-256") else 2


def challenges(values: list[str]) -> list[Challenge]:
    """Every challenge in the WWW-Authenticate headers, whether one per header or joined by commas."""
    found = []
    for value in values:
        starts = list(_SCHEME.finditer(value))
        ends = [*(start.start() for start in starts[1:]), len(value)] if starts else []
        for start, end in zip(starts, ends, strict=True):
            found.append(Challenge(start[1].lower(), parameters(value, start.end(), end)))
    return found


def parameters(value: str, start: int, end: int) -> dict[str, str]:
    """What stands behind a scheme, between two positions; names in lower case, values without quotes."""
    pairs = _PAIR.finditer(value, start, end)
    return {p[1].lower(): p[3] if p[2] is None else re.sub(r"\\(.)", r"\1", p[2]) for p in pairs}


class Authoriser:
    """Keeps the strongest challenge of one server and answers it for each request."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._challenge: Challenge | None = None
        self._count = 0
        self._cnonce = secrets.token_hex(16)

    @property
    def has_user(self) -> bool:
        return bool(self._username)

    def learn(self, values: list[str]) -> Challenge | None:
        """Take the WWW-Authenticate headers of a 401; None when no offered scheme can be answered."""
        best = max(challenges(values), key=lambda challenge: challenge.strength, default=None)
        self._challenge = best if best and best.strength else None
        self._count = 0
        return self._challenge

    def header(self, method: str, uri: str) -> str | None:
        """Value of Authorization for one request; None before the first challenge."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return "Basic " + base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
        return self._digest(self._challenge, method, uri)

    def _digest(self, challenge: Challenge, method: str, uri: str) -> str:
        self._count += 1
        offered = challenge.parameters
        hashed = HASHES[challenge.algorithm.removesuffix("-SESS")]
        realm, nonce, counter = offered.get("realm", ""), offered["nonce"], f"{self._count:08x}"

        def text_hash(text: str) -> str:
            return hashed(text.encode()).hexdigest()

        secret = text_hash(f"{self._username}:{realm}:{self._password}")
        if challenge.algorithm.endswith("-SESS"):
            secret = text_hash(f"{secret}:{nonce}:{self._cnonce}")
        with_qop = f"{counter}:{self._cnonce}:auth:" if "qop" in offered else ""
        response = text_hash(f"{secret}:{nonce}:{with_qop}{text_hash(f'{method}:{uri}')}")
        fields = {
            "username": self._username,
            "realm": realm,
            "nonce": nonce,
            "uri": uri,
            "response": response,
        }
        if "opaque" in offered:
            fields["opaque"] = offered["opaque"]
        if "qop" in offered or challenge.algorithm.endswith("-SESS"):
            fields["cnonce"] = self._cnonce
        quoted = [f'{name}="{_escape(value)}"' for name, value in fields.items()]
        if "algorithm" in offered:
            quoted.append(f"algorithm={offered['algorithm']}")
        if "qop" in offered:
            quoted += ["qop=auth", f"nc={counter}"]
        return "Digest " + ", ".join(quoted)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
