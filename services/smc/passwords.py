"""Passwords: the rules of the profile in force, and Argon2id hashes (RFC 9106)."""

import os
import threading
from functools import lru_cache
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import password_rules
from services.smc.password_rules import CLASSIC, LENGTH, MODERN, Rule

__all__ = ["CLASSIC", "LENGTH", "MODERN", "Rule", "check", "hashed", "matches", "profile", "rules"]

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# More hashes at once than cores would only make every login slower, and memory unbounded.
_cores = threading.BoundedSemaphore(os.cpu_count() or 1)


def profile() -> Literal["classic", "modern"]:
    """The profile in force, `classic` or `modern`, as the inventory says in `dss_password_profile`."""
    found = config.load_service("smc").settings.get("password_profile", CLASSIC)
    return "modern" if found == MODERN else "classic"


def check(password: str, account: str) -> None:
    """Raise the Problem of the first rule that `password` breaks."""
    for one in rules(password, account):
        if not one.kept:
            raise Problem(
                f"password-{one.rule}",
                "This password cannot be used.",
                one.text,
                "Choose another password and try again.",
                status=422,
            )


def rules(password: str, account: str) -> list[Rule]:
    """All rules of the profile in force; pages show them while somebody types."""
    if profile() == CLASSIC:
        return password_rules.classic(password, account)
    with _cores:
        return password_rules.modern(password, account, [config.load_node().site, "dss"])


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
