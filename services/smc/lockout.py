"""Locks against guessing, for an account and for a source address; in the database: a restart frees no one.

Account: 5 failures in 15 min lock for 15 min, doubled each time up to 24 h.
Source (/32, IPv6 /64): 20 in 10 min lock for 15 min.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit
from services.smc.models import Lockout
from services.smc.store import unit_of_work

KEEP = timedelta(days=2)


@dataclass(frozen=True)
class Rule:
    """`failures` within `window` lock for `first`, doubled up to `longest`."""

    failures: int
    window: timedelta
    first: timedelta
    longest: timedelta


RULES = {
    "account": Rule(5, timedelta(minutes=15), timedelta(minutes=15), timedelta(hours=24)),
    "source": Rule(20, timedelta(minutes=10), timedelta(minutes=15), timedelta(minutes=15)),
}


@dataclass(frozen=True)
class Lock:
    """An account or source that is locked now."""

    kind: str
    subject: str
    until: datetime
    level: int


def check(session: Session, account: str, source: str) -> None:
    """Raise Problem 429 while the account or the source is locked; says until when."""
    for kind, subject in _subjects(account, source):
        row = session.get(Lockout, (kind, subject), populate_existing=True)
        if row and row.locked_until and row.locked_until > clock.now():
            raise refusal(kind, row.locked_until)


@unit_of_work
def failed(session: Session, account: str, source: str) -> None:
    """Count one failed login; locks when it was one too many."""
    now = clock.now()
    session.execute(
        delete(Lockout).where(Lockout.changed_at < now - KEEP).with_dialect_options(mysql_limit=50)
    )
    for kind, subject in _subjects(account, source):
        _count(session, kind, subject, now)


@unit_of_work
def succeeded(session: Session, account: str, source: str) -> None:
    """Forget the account's failures; the source's stay: one right login among guesses proves nothing."""
    kind, subject = _subjects(account, source)[0]
    session.execute(delete(Lockout).where(Lockout.kind == kind, Lockout.subject == subject))


def listing(session: Session) -> list[Lock]:
    """All locks in force, the longest first."""
    query = select(Lockout).where(Lockout.locked_until > clock.now()).order_by(Lockout.locked_until.desc())
    return [
        Lock(r.kind, r.subject, r.locked_until, r.level) for r in session.scalars(query) if r.locked_until
    ]


@unit_of_work
def release(session: Session, kind: str, subject: str, *, actor: str, source: str) -> None:
    """Open a lock by hand; audited."""
    session.execute(delete(Lockout).where(Lockout.kind == kind, Lockout.subject == subject))
    audit.write(session, "lock.release", f"{kind} {subject}", actor=actor, source=source)


def refusal(kind: str, until: datetime) -> Problem:
    """What is told to someone who is locked out."""
    minutes = max(1, -int((clock.now() - until).total_seconds() // 60))
    rule = RULES[kind]
    what = "This account is locked." if kind == "account" else "Your address is locked."
    return Problem(
        f"{kind}-locked",
        what,
        f"There were {rule.failures} failed logins within {int(rule.window.total_seconds() // 60)} minutes.",
        f"Wait {minutes} min (until {clock.iso(until)}), or let an administrator release the lock.",
        status=429,
    )


def network(source: str) -> str:
    """The source that is counted: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def _subjects(account: str, source: str) -> list[tuple[str, str]]:
    return [("account", account.lower()[:64]), ("source", network(source))]


def _count(session: Session, kind: str, subject: str, now: datetime) -> None:
    rule = RULES[kind]
    row = _locked_row(session, kind, subject, now)
    since = (now - rule.window).timestamp()
    recent = [*(at for at in row.recent if at > since), now.timestamp()][-rule.failures :]
    row.changed_at = now
    row.recent = recent
    if len(recent) < rule.failures:
        return
    row.recent = []
    row.locked_until = now + min(rule.first * 2 ** min(row.level, 12), rule.longest)
    row.level += 1
    audit.write(
        session, "lock", f"{kind} {subject}", source=subject if kind == "source" else "local",
        details={"until": clock.iso(row.locked_until), "level": row.level},
    )  # fmt: skip


def _locked_row(session: Session, kind: str, subject: str, now: datetime) -> Lockout:
    values = {"kind": kind, "subject": subject, "recent": [], "level": 0, "changed_at": now}
    statement = insert(Lockout).values(**values)
    session.execute(statement.on_duplicate_key_update(changed_at=now))
    query = select(Lockout).where(Lockout.kind == kind, Lockout.subject == subject).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one()
