"""The servers of the site: joining by a one-time token, the administrator's decision, the live beat."""

import hashlib
import ipaddress
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, cache, models
from services.smc.accounts import Account
from services.smc.store import unit_of_work

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
BEAT_KEPT = 30.0
FRESH, STALE = 3.0, 10.0
LONGEST_VALID = timedelta(days=30)


@dataclass(frozen=True)
class Node:
    """One server. `state`: waiting, enabled, disabled; `beat` as it came.

    `reach`: reachable, unreachable, or unknown while Redis is away. `age`: seconds since the last beat, None
    if that is longer than 30 s ago; `stale`: show it grey.
    """

    name: str
    role: str
    address: str
    mapping_ip: str | None
    version: str
    state: str
    registered_at: datetime
    state_changed_at: datetime
    state_changed_by: str
    reach: str = "unknown"
    age: float | None = None
    stale: bool = True
    beat: dict[str, Any] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[str, str]:
        """Its addresses by purpose as the last beat says; {} where `address` serves everything."""
        found: dict[str, str] = self.beat.get("addresses") or {}
        return found


@dataclass(frozen=True)
class JoinToken:
    """A fresh one-time token; it is shown this once."""

    name: str
    token: str
    expires_at: datetime


def listing(session: Session) -> list[Node]:
    """All nodes, main first, then by name, with their live state."""
    rows = session.scalars(select(models.Node)).all()
    beats = _beats([row.name for row in rows])
    found = [_node(row, beats) for row in rows]
    return sorted(found, key=lambda node: (node.role != "main", node.name))


def get(session: Session, name: str) -> Node:
    """One node with its live state; Problem 404 if there is none of that name."""
    return _node(_row(session, name), _beats([name]))


def linked(session: Session) -> dict[str, bool]:
    """Name → whether its messages are let in, of every node that joined; disabled ones are shut out."""
    joined = session.scalars(select(models.JoinToken.name).where(models.JoinToken.used_at.is_not(None)))
    states = session.execute(select(models.Node.name, models.Node.state))
    return dict.fromkeys(joined, True) | {name: state != "disabled" for name, state in states}


@unit_of_work
def add_token(session: Session, name: str, valid: timedelta, account: Account) -> JoinToken:
    """A token (256 bits, hex) that lets the node `name` join once within `valid`; older ones become void."""
    check_name(name)
    if not timedelta(minutes=1) <= valid <= LONGEST_VALID:
        raise Problem(
            "token-validity", "The token cannot be made.", "It must be valid between 1 minute and 30 days.",
            "Choose another time.", status=422,
        )  # fmt: skip
    now, token = clock.now(), secrets.token_hex(32)
    open_ones = update(models.JoinToken).where(
        models.JoinToken.name == name, models.JoinToken.used_at.is_(None)
    )
    session.execute(open_ones.where(models.JoinToken.expires_at > now).values(expires_at=now))
    row = models.JoinToken(
        name=name, token_hash=_hash(token), created_by=account.name, created_at=now, expires_at=now + valid
    )
    session.add(row)
    audit.write(session, "node.token", name, actor=account.name, source=account.source)
    return JoinToken(name, token, row.expires_at)


@unit_of_work
def redeem_token(session: Session, name: str, token: str, source: str) -> None:
    """Use up a join token; a wrong, expired, used or foreign one is audited, and a Problem 403 says why."""
    row = session.scalars(
        select(models.JoinToken).where(models.JoinToken.token_hash == _hash(token)).with_for_update()
    ).first()
    if row is None:
        _refuse(session, name, source, "wrong", "No such token was given out.")
    if row.used_at is not None:
        _refuse(session, name, source, "used", "The token was used already; it works once.")
    if row.expires_at <= clock.now():
        _refuse(session, name, source, "expired", "The token is too old, or a newer one replaced it.")
    if row.name != name:
        _refuse(session, name, source, "name", "The token was made for a node of another name.")
    row.used_at, row.used_from = clock.now(), source[:64]
    audit.write(session, "node.join", name, actor=name, source=source)


@unit_of_work
def register(
    session: Session, name: str, role: str, address: str, mapping_ip: str | None, version: str
) -> None:
    """Note a node's own facts; a new one waits for an administrator, except main. May be repeated."""
    check_name(name)
    ipaddress.ip_address(address)
    row = session.get(models.Node, name)
    facts = {"role": role, "address": address, "mapping_ip": mapping_ip, "version": version}
    if row is None:
        now = clock.now()
        state = "enabled" if role == "main" else "waiting"
        session.add(
            models.Node(
                name=name,
                **facts,
                state=state,
                registered_at=now,
                state_changed_at=now,
                state_changed_by="system",
            )
        )
        session.flush()
        audit.write(session, "node.register", name, actor=name, source=address, details={"role": role})
        return
    changed = {key: value for key, value in facts.items() if getattr(row, key) != value}
    for key, value in changed.items():
        setattr(row, key, value)
    if changed:
        audit.write(session, "node.change", name, actor=name, source=address, details=changed)


def enable(session: Session, name: str, account: Account) -> Node:
    """Let the node work: devices may be assigned to it; audited."""
    return _decide(session, name, "enabled", account)


def disable(session: Session, name: str, account: Account) -> Node:
    """Take the node out of work: it gets no devices any more; audited. Main itself cannot be disabled."""
    return _decide(session, name, "disabled", account)


def check_name(name: str) -> None:
    """Raise the Problem of a node name that cannot be used (a DNS label, RFC 1123)."""
    if not NAME.fullmatch(name):
        raise Problem(
            "node-name", "This node name cannot be used.",
            "It needs 1 to 63 small letters, digits and hyphens, and no hyphen at an end.",
            "Use the node's name of the inventory.", status=422,
        )  # fmt: skip


def need_enabled(session: Session, name: str) -> models.Node:
    """The row of an enabled node; Problem 409 for any other."""
    row = _row(session, name)
    if row.state != "enabled":
        raise Problem(
            "node-not-enabled", f"The node {name} does not work for this platform.",
            f"It is {row.state}.", "Enable it on the Servers page, then try again.", status=409,
        )  # fmt: skip
    return row


@unit_of_work
def _decide(session: Session, name: str, state: str, account: Account) -> Node:
    row = _row(session, name)
    if row.role == "main" and state == "disabled":
        raise Problem(
            "main-stays", "The main node cannot be disabled.", "The platform runs on it.",
            "Stop single services in the service manager instead.", status=409,
        )  # fmt: skip
    if row.state != state:
        row.state, row.state_changed_at, row.state_changed_by = state, clock.now(), account.name
        audit.write(session, f"node.{state}", name, actor=account.name, source=account.source)
    return _node(row, _beats([name]))


def _refuse(session: Session, name: str, source: str, reason: str, why: str) -> NoReturn:
    audit.write(
        session, "node.join", name, actor=name, source=source, outcome="refused", details={"reason": reason}
    )
    raise Problem(
        f"join-token-{reason}", "The node was not let in.", why,
        "Make a new token on main (Servers, Add a server) and deploy this node again.", status=403,
    )  # fmt: skip


def _row(session: Session, name: str) -> models.Node:
    row = session.get(models.Node, name)
    if row is None:
        raise Problem(
            "node-unknown", "There is no such node.", "No node of this name has joined.",
            "Look at the list of servers.", status=404,
        )  # fmt: skip
    return row


def _beats(names: list[str]) -> dict[str, tuple[dict[str, Any], float]] | None:
    """Beat and its age in seconds by node; None while Redis is away.

    The age is what the key's 30 s of life have lost: nodes' clocks need not agree.
    """
    try:
        with cache.reached() as redis, redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(f"beat:{name}")
                pipe.pttl(f"beat:{name}")
            values = pipe.execute()
    except Problem:
        return None
    pairs = zip(names, values[::2], values[1::2], strict=True)
    return {name: (json.loads(text), max(0.0, BEAT_KEPT - left / 1000)) for name, text, left in pairs if text}


def _node(row: models.Node, beats: dict[str, tuple[dict[str, Any], float]] | None) -> Node:
    beat, age = (beats or {}).get(row.name, ({}, None))
    fresh = age is not None and age <= FRESH
    return Node(
        row.name, row.role, row.address, row.mapping_ip, row.version, row.state,
        row.registered_at, row.state_changed_at, row.state_changed_by,
        reach="unknown" if beats is None else "reachable" if fresh else "unreachable",
        age=age, stale=age is None or age > STALE, beat=beat,
    )  # fmt: skip


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
