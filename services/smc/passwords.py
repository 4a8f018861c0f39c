"""Passwords: the policy of the manual's chapter on initialisation, and Argon2id hashes (RFC 9106)."""

import os
import threading
from functools import lru_cache
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.runtime.errors import Problem

SHORTEST, LONGEST = 8, 32
BARRED = "'\";:&"
RUN = 3
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# More hashes at once than cores would only make every login slower, and memory unbounded.
_cores = threading.BoundedSemaphore(os.cpu_count() or 1)


def check(password: str, account: str) -> None:
    """Raise the Problem of the first rule that `password` breaks."""
    for rule, broken, text in rules(password, account):
        if broken:
            raise Problem(
                f"password-{rule}",
                "This password cannot be used.",
                text,
                "Choose another password and try again.",
                status=422,
            )


def rules(password: str, account: str) -> list[tuple[str, bool, str]]:
    """All rules of the profile `manual`: (name, broken, what it says); the portal shows them while typing."""
    folded, name = password.casefold(), account.casefold()
    named = {name, name[::-1]} - {""}
    return [
        ("length", not SHORTEST <= len(password) <= LONGEST, f"It needs {SHORTEST} to {LONGEST} characters."),
        ("blank", has_blank(password), "It must not hold blanks or control characters."),
        ("barred", any(c in BARRED for c in password), "It must not hold any of ' \" ; : &."),
        ("classes", classes(password) < 2, "It needs two of: upper case, lower case, digits, special ones."),
        ("account-name", folded in named, "It must not be the account name or its reverse."),
        ("run", has_run(folded), "It must not hold three neighbours of alphabet or digits (abc, 321)."),
        ("repeat", has_repeat(password), "It must not hold the same character three times in a row (111)."),
    ]  # fmt: skip


def has_blank(text: str) -> bool:
    """Whether a character cannot be seen."""
    return any(c.isspace() or not c.isprintable() for c in text)


def classes(password: str) -> int:
    """How many of upper case, lower case, digits and special characters occur."""
    kinds = {
        "upper" if c.isupper() else "lower" if c.islower() else "digit" if c.isdigit() else "special"
        for c in password
    }
    return len(kinds)


def has_run(text: str) -> bool:
    """Whether three neighbours climb or fall by one, as 123, abc or cba do; letters and digits only."""
    return any(_steps(text[at : at + RUN]) in ({1}, {-1}) for at in range(len(text) - RUN + 1))


def has_repeat(text: str) -> bool:
    """Whether one character stands three times in a row."""
    return any(len(set(text[at : at + RUN])) == 1 for at in range(len(text) - RUN + 1))


def hashed(secret: str) -> str:
    """Argon2id hash, m=19 MiB t=2 p=1, in PHC format; waits for a free core."""
    with _cores:
        return HASHER.hash(secret)


def matches(hash: str | None, secret: str) -> bool:
    """Whether `secret` belongs to `hash`. None (unknown account) costs the same time and is never right."""
    with _cores:
        try:
            right = HASHER.verify(hash or _nobody(), secret)
        except (VerificationError, InvalidHashError):
            return False
    return right and hash is not None


def is_old(hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(hash)


def normalised(answer: str) -> str:
    """A protection answer without what people type differently: case and blanks."""
    return " ".join(answer.casefold().split())


@lru_cache(maxsize=1)
def _nobody() -> str:
    return HASHER.hash(os.urandom(16).hex())


def _steps(part: str) -> set[int]:
    if not (part.isascii() and (part.isdigit() or part.isalpha())):
        return set()
    return {ord(b) - ord(a) for a, b in pairwise(part)}
