"""Who may change a node from outside: only its centre."""

import json
from typing import Any

from aiohttp import web

from services.runtime import config
from services.runtime.errors import Problem

LONGEST_NAME = 64


def only_main(request: web.Request) -> None:
    """Any node of the site may call through DSS_NGINX; only this node itself and its centre may change it."""
    center = config.load_node().center
    if request.headers.get("X-DSS-Node", "") not in {"", center.name if center else ""}:
        raise foreign()


def foreign() -> Problem:
    """The caller is not the centre."""
    return Problem("center-only", "The call was refused.", "It does not come from this node's centre.",
                   "Main alone changes its nodes.", status=403)  # fmt: skip


def requester(body: str) -> str:
    """Who gives an order, from `{"by": name}`; nobody's name where the body does not say."""
    try:
        told: Any = json.loads(body or "{}")
    except ValueError:
        told = None
    by = told.get("by", "") if isinstance(told, dict) else None
    if not isinstance(by, str) or len(by) > LONGEST_NAME or not by.isprintable():
        raise Problem("order-body", "The order cannot be read.", 'Its body is not {"by": a name}.',
                      "Send a name of at most 64 characters, or no body.", status=400)  # fmt: skip
    return by
