"""Permission to talk to a camera, and what its node tells of a talk that ended."""

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from services.runtime.errors import Problem
from services.smc import audit, live, models, peers
from services.smc.accounts import Account

PERMISSION = "live.talk"
SCOPE = "talk/"
LONGEST_WORD = 300


@dataclass(frozen=True)
class TalkAnswer:
    """`ws`, a path on the portal's own origin, takes G.711 as `codec` says (PCMU, PCMA) at 8 kHz.

    The token in it works once, within `expires_in` seconds.
    """

    token: str
    expires_in: int
    channel: str
    node: str
    codec: str
    ws: str


def open(session: Session, channel: str, account: Account, via: str = "portal") -> TalkAnswer:
    """A token for `account` to talk to `channel`; audited.

    Problem 409 and why, before anybody speaks: the camera takes no sound, or somebody else talks to it.
    """
    account.need(PERMISSION)
    row, node = live.place(session, channel)
    found = peers.call(peers.of(node), "GET", f"/talks/{quote(channel, safe='')}", service="mts")
    codec = peers.parsed(node.name, lambda: str(found["codec"]))
    token = live.token_for(account.name, SCOPE + channel, node.name)
    live.note(session, "talk.open", row, account, {"via": via, "node": node.name})
    path = f"{live.prefix(node.name)}/talk/{channel}?token={token}"
    return TalkAnswer(token, live.VALID, channel, node.name, codec, path)


def ended(session: Session, node: str, told: Any) -> None:  # noqa: ANN401 - what a node sent
    """Note that a talk is over: `{"user","channel","seconds","why"}`; Problem 422 or 404 for what is none."""
    try:
        user, channel, why = (str(told[name])[:LONGEST_WORD] for name in ("user", "channel", "why"))
        seconds = float(told["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(repr(error)) from error
    if not math.isfinite(seconds):
        raise _unreadable("`seconds` is no number.")
    row = live.known(session, channel)
    if session.get_one(models.Device, row.device_id).node != node:
        raise live.no_channel()
    audit.write(session, "talk.end", f"{row.name} ({row.id})", actor=user, source=node,
                details={"node": node, "seconds": seconds, "why": why})  # fmt: skip


def _unreadable(why: str) -> Problem:
    return Problem("request-unreadable", "The request cannot be read.", why,
                   "Update this node and main to the same version.", status=422)  # fmt: skip
