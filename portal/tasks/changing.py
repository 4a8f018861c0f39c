"""Changes that somebody ordered in the portal, so that each page can offer to keep or undo them."""

from typing import Any, cast

from sqlalchemy.orm import Session

from services.runtime.errors import Problem
from services.smc import cache, changes
from services.smc.accounts import Account
from services.smc.changes import Change

KEY = "portal:changes"
KEEP_SECONDS = 24 * 3600


def order(session: Session, node: str, asked: dict[str, Any], account: Account) -> Change:
    """Order a change (`services.smc.changes.request`), and note it as the newest of its node."""
    made = changes.request(session, node, asked, account)
    with cache.reached() as redis, redis.pipeline() as pipe:
        pipe.hset(KEY, node, made.id)
        pipe.expire(KEY, KEEP_SECONDS)
        pipe.execute()
    return made


def listing(session: Session) -> list[Change]:
    """Those that are neither kept nor undone; nothing is asked while there are none."""
    try:
        with cache.reached() as redis:
            known = cast(dict[str, str], redis.hgetall(KEY))
        return [found for node, id in known.items() if (found := _open(session, node, id))]
    except Problem:
        return []


def _open(session: Session, node: str, id: str) -> Change | None:
    try:
        found = changes.get(session, node, id)
    except Problem as problem:
        # While its agent restarts, a node is away for a moment; a change it does not know is over.
        if problem.status == 404:
            _forget(node)
        return None
    if found.state in changes.OPEN:
        return found
    _forget(node)
    return None


def _forget(node: str) -> None:
    with cache.reached() as redis:
        redis.hdel(KEY, node)
