"""The audit log: a chain of hashes, row = SHA-256("dss-audit-1" | prev | canonical row).

The lock of one row makes its writers queue.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from services.runtime import clock
from services.smc import models
from services.smc.store import unit_of_work

MARK = "dss-audit-1"
FIRST = "0" * 64
PAGE = 500
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Entry:
    """One entry: who (`actor`) from where (`source`) did what (`action`) to what (`target`), how it ended."""

    id: int
    at: datetime
    actor: str
    source: str
    action: str
    target: str
    outcome: str
    details: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Verdict:
    """Result of a walk along the chain; `broken_at` is the first entry that does not fit."""

    ok: bool
    entries: int
    broken_at: int | None
    reason: str


@unit_of_work
def write(
    session: Session,
    action: str,
    target: str = "",
    *,
    actor: str = "system",
    source: str = "local",
    outcome: str = "done",
    details: dict[str, Any] | None = None,
) -> int:
    """Append an entry and return its number; `outcome` is done, refused or failed."""
    head = session.execute(
        select(models.AuditHead)
        .where(models.AuditHead.id == 1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    row = models.Audit(
        id=head.entry + 1, at=clock.now(), actor=actor[:64], source=source[:64], action=action[:64],
        target=target[:255], outcome=outcome, prev=head.hash,
        details=json.dumps(details or {}, sort_keys=True, ensure_ascii=False, separators=(",", ":")),
    )  # fmt: skip
    row.hash = digest(row)
    head.entry, head.hash = row.id, row.hash
    session.add(row)
    session.flush()
    return row.id


def digest(row: "models.Audit | Row[Any]") -> str:
    """Hash of an entry, hex; the canonical row is a JSON list of its columns in table order."""
    fields = [
        row.id,
        clock_text(row.at),
        row.actor,
        row.source,
        row.action,
        row.target,
        row.outcome,
        row.details,
    ]
    text = ENCODER.encode(fields)
    return hashlib.sha256(f"{MARK}|{row.prev}|{text}".encode()).hexdigest()


def clock_text(moment: datetime) -> str:
    """Microseconds always written, as the column keeps them."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def listing(
    session: Session,
    *,
    before: int | None = None,
    limit: int = 100,
    actor: str | None = None,
    action: str | None = None,
) -> list[Entry]:
    """Entries, newest first, from below number `before`; at most 500."""
    query = select(models.Audit).order_by(models.Audit.id.desc()).limit(max(1, min(limit, PAGE)))
    if before is not None:
        query = query.where(models.Audit.id < before)
    if actor:
        query = query.where(models.Audit.actor == actor)
    if action:
        query = query.where(models.Audit.action == action)
    return [_entry(row) for row in session.scalars(query)]


def verify(session: Session) -> Verdict:
    """Walk the whole chain up to the head."""
    prev, number = FIRST, 0
    for row in _rows(session):
        if row.id != number + 1:
            return Verdict(False, number, number + 1, f"entry {number + 1} is missing")
        if row.prev != prev or row.hash != digest(row):
            return Verdict(False, number, row.id, f"entry {row.id} was changed or replaced")
        prev, number = row.hash, row.id
    head = session.get_one(models.AuditHead, 1, populate_existing=True)
    if (head.entry, head.hash) != (number, prev):
        return Verdict(False, number, number + 1, "the newest entries were cut off")
    return Verdict(True, number, None, "the chain is whole")


def _rows(session: Session) -> Iterator["Row[Any]"]:
    # Plain rows, fetched in parts: the log may be larger than the memory of the process.
    query = select(*models.Audit.__table__.columns).order_by(models.Audit.id)
    return iter(session.execute(query, execution_options={"yield_per": 1000}))


def _entry(row: models.Audit) -> Entry:
    return Entry(
        row.id, row.at, row.actor, row.source, row.action, row.target, row.outcome,
        json.loads(row.details), row.hash,
    )  # fmt: skip
