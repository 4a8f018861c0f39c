"""Sessions on the server's side, in Redis: one kind for the portal's cookie and for Bearer tokens.

A token is 256 random bits; Redis knows its SHA-256 only. It ends after 30 min without use, or 12 h in all.
"""

import hashlib
import json
import secrets
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import cast

from services.runtime.errors import Problem
from services.smc import cache

COOKIE = "__Host-dss"
IDLE, HARD = 30 * 60, 12 * 3600
INDEX = "sessions"
TOUCH_EACH = 5.0
MOST_SHOWN = 1000


@dataclass(frozen=True)
class Session:
    """One login. `id` names it in lists and is no secret; writes by cookie must bring `csrf` back."""

    id: str
    account_id: int
    account: str
    role: str
    source: str
    kind: str
    csrf: str
    created: float
    seen: float

    @property
    def began(self) -> datetime:
        """When the login was."""
        return datetime.fromtimestamp(self.created, UTC)

    @property
    def expires(self) -> datetime:
        """When it ends if it is not used again."""
        return datetime.fromtimestamp(min(self.seen + IDLE, self.created + HARD), UTC)


def create(
    account_id: int, account: str, role: str, source: str, kind: str = "cookie"
) -> tuple[str, Session]:
    """A new session and its token; `kind` is cookie or bearer."""
    token, now = secrets.token_urlsafe(32), time.time()
    one = Session(_key(token), account_id, account, role, source, kind, secrets.token_urlsafe(24), now, now)
    _write(one)
    return token, one


def get(token: str, *, touch: bool = True) -> Session | None:
    """The session of a token; None if there is none or it has ended. `touch` marks it as used now."""
    if not 20 <= len(token) <= 100:
        return None
    one = _read(_key(token))
    if one is None:
        return None
    now = time.time()
    if now >= one.created + HARD or now >= one.seen + IDLE:
        kick(one.id)
        return None
    if not touch or now - one.seen < TOUCH_EACH:
        return one
    return _touch(replace(one, seen=now))


def end(token: str) -> None:
    """Log out: the token is void from now on."""
    kick(_key(token))


def kick(id: str) -> bool:
    """End the session `id`; False if it was not there."""
    with cache.reached() as redis:
        redis.zrem(INDEX, id)
        return bool(redis.delete(_name(id)))


def end_all(account_id: int, keep: str | None = None) -> int:
    """End all sessions of an account but the one with id `keep`; returns how many."""
    ended = [one.id for one in _online(-1) if one.account_id == account_id and one.id != keep]
    return sum(kick(id) for id in ended)


def listing() -> list[Session]:
    """Everyone online, latest use first; the first thousand."""
    return _online(MOST_SHOWN - 1)


def _online(last: int) -> list[Session]:
    with cache.reached() as redis:
        redis.zremrangebyscore(INDEX, 0, time.time() - IDLE)
        ids = cast(list[str], redis.zrevrange(INDEX, 0, last))
        texts = cast(list[str | None], redis.mget([_name(id) for id in ids])) if ids else []
    return [Session(**json.loads(text)) for text in texts if text]


def needed(token: str | None, *, touch: bool = True) -> Session:
    """The session of a token; Problem 401 if there is none."""
    one = get(token, touch=touch) if token else None
    if one is None:
        raise Problem(
            "not-logged-in",
            "You are not logged in.",
            "There is no valid session: it ended after 30 minutes without use, was closed, or never was.",
            "Log in and try again.",
            status=401,
        )
    return one


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _name(id: str) -> str:
    return f"session:{id}"


def _read(id: str) -> Session | None:
    with cache.reached() as redis:
        text = cast(str | None, redis.get(_name(id)))
    return Session(**json.loads(text)) if text else None


def _write(one: Session) -> None:
    with cache.reached() as redis, redis.pipeline() as pipe:
        pipe.set(_name(one.id), json.dumps(asdict(one)), ex=IDLE)
        pipe.zadd(INDEX, {one.id: one.seen})
        pipe.execute()


def _touch(one: Session) -> Session | None:
    with cache.reached() as redis:
        # xx: a session that was kicked a moment ago must not come back.
        if not redis.set(_name(one.id), json.dumps(asdict(one)), ex=IDLE, xx=True):
            return None
        redis.zadd(INDEX, {one.id: one.seen})
    return one
