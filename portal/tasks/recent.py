"""Orders given from the portal a short while ago, kept in Redis so that every page and person sees them."""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import cast

from sqlalchemy.orm import Session

from services.runtime.errors import Problem
from services.smc import cache, manager, tasks

KEY = "portal:tasks"
MOST = 8
KEEP_SECONDS = 900
SHOW_DONE_SECONDS = 20
SHOW_FAILED_SECONDS = 300
GIVE_UP_SECONDS = 300


@dataclass(frozen=True)
class Order:
    """One order: which task of which node, what it is called, who gave it; `ended` is 0 while it runs.

    `kind`: service or backup, as in services.smc.tasks.
    """

    node: str
    task: str
    label: str
    account: str
    at: float
    state: str = "running"
    ended: float = 0.0
    steps: list[dict[str, str]] = field(default_factory=list)
    kind: str = "service"

    @property
    def failed(self) -> list[dict[str, str]]:
        """The steps that did not work."""
        return [step for step in self.steps if step["state"] == "failed"]

    @property
    def finished(self) -> int:
        """How many steps are over."""
        return sum(step["state"] in {"done", "failed"} for step in self.steps)


def remember(order: Order) -> None:
    """Put the order at the head of the list."""
    with cache.reached() as redis, redis.pipeline() as pipe:
        pipe.lpush(KEY, json.dumps(asdict(order)))
        pipe.ltrim(KEY, 0, MOST - 1)
        pipe.expire(KEY, KEEP_SECONDS)
        pipe.execute()


def listing(session: Session) -> list[Order]:
    """Orders to show, newest first, each brought up to date by its node."""
    try:
        with cache.reached() as redis:
            texts = cast(list[str], redis.lrange(KEY, 0, MOST - 1))
        orders = [_current(session, place, Order(**json.loads(text))) for place, text in enumerate(texts)]
    except Problem:
        return []
    return [order for order in orders if _shown(order, time.time())]


def _shown(order: Order, now: float) -> bool:
    keep = SHOW_DONE_SECONDS if order.state == "done" else SHOW_FAILED_SECONDS
    return not order.ended or now - order.ended < keep


def _current(session: Session, place: int, order: Order) -> Order:
    if order.ended:
        return order
    try:
        fresh = _asked(session, order)
    except Problem as problem:
        # A node that restarts its own agent is away for a moment; only a long silence is an end.
        if problem.status == 404 or time.time() - order.at > GIVE_UP_SECONDS:
            return _end(place, replace(order, state="failed", steps=_lost(order, problem)))
        return order
    return fresh if fresh.state == "running" else _end(place, fresh)


def _asked(session: Session, order: Order) -> Order:
    if order.kind == "service":
        answer = manager.task(session, order.node, order.task)
        return replace(order, state=answer.state, steps=[asdict(step) for step in answer.steps])
    found = tasks.get(session, order.node, order.kind, order.task)
    failed = {"service": order.node, "state": "failed", "message": found.why}
    return replace(order, state=found.state, steps=[failed] if found.state == "failed" else [])


def _lost(order: Order, problem: Problem) -> list[dict[str, str]]:
    return [*order.steps, {"service": order.node, "state": "failed", "message": str(problem)}]


def _end(place: int, order: Order) -> Order:
    order = replace(order, ended=time.time())
    with cache.reached() as redis:
        # Another page may have pushed a newer order meanwhile: write only over the same one.
        current = cast(str | None, redis.lindex(KEY, place))
        if current and json.loads(current)["task"] == order.task:
            redis.lset(KEY, place, json.dumps(asdict(order)))
    return order
