"""Recovery codes: ten for an account, each good once. `SSSS-TTTT-TTTT-TTTT` in Crockford's base 32.

The first group finds the row, so that one hash is worked out for each try; the other twelve characters are 60
random bits, kept as an Argon2id hash.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from services.runtime import clock
from services.smc import models, passwords

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
COUNT, GROUP, LENGTH = 10, 4, 16
# What people read wrongly off paper.
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


@dataclass(frozen=True)
class Standing:
    """Codes of an account: how many are `left`, when they were made, when the user said they are kept."""

    left: int
    made_at: datetime | None
    kept_at: datetime | None


def draw() -> list[str]:
    """Ten fresh codes, no two with the same first group."""
    found: dict[str, str] = {}
    while len(found) < COUNT:
        text = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        found[text[:GROUP]] = "-".join(text[at : at + GROUP] for at in range(0, LENGTH, GROUP))
    return list(found.values())


def split(code: str) -> tuple[str, str]:
    """First group and secret of a code as somebody typed it: case, blanks and hyphens do not count."""
    text = code.upper().translate(MISREAD)
    return (text[:GROUP], text[GROUP:]) if len(text) == LENGTH else ("", text)


def hashes(codes: Sequence[str]) -> dict[str, str]:
    """First group → hash of the secret; takes about a second for ten."""
    return {group: passwords.hashed(secret) for group, secret in map(split, codes)}


def store(session: Session, account_id: int, made: dict[str, str]) -> None:
    """Replace the codes of an account; part of the caller's unit of work."""
    session.execute(delete(models.RecoveryCode).where(models.RecoveryCode.account_id == account_id))
    now = clock.now()
    for group, hash in made.items():
        session.add(models.RecoveryCode(account_id=account_id, selector=group, code_hash=hash, made_at=now))
    session.flush()


def hash_of(session: Session, account_id: int, group: str) -> str | None:
    """The hash of a code that is not used yet."""
    row = session.get(models.RecoveryCode, (account_id, group), populate_existing=True)
    return row.code_hash if row and row.used_at is None else None


def burn(session: Session, account_id: int, group: str) -> bool:
    """Mark a code as used; False if it was already: of two that use it at once, one wins."""
    mine = (models.RecoveryCode.account_id == account_id, models.RecoveryCode.selector == group)
    statement = update(models.RecoveryCode).where(*mine, models.RecoveryCode.used_at.is_(None))
    done = session.execute(statement.values(used_at=clock.now()))
    return cast("CursorResult[Any]", done).rowcount == 1


def keep(session: Session, account_id: int) -> None:
    """Note that the user said the codes are kept; part of the caller's unit of work."""
    statement = update(models.RecoveryCode).where(models.RecoveryCode.account_id == account_id)
    session.execute(statement.values(kept_at=clock.now()))


def standing(session: Session, account_id: int) -> Standing:
    """How the codes of an account stand."""
    one = models.RecoveryCode
    left = func.count() - func.count(one.used_at)
    query = select(left, func.max(one.made_at), func.max(one.kept_at))
    return Standing(*session.execute(query.where(one.account_id == account_id)).one())
