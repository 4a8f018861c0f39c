"""Which node relays a channel, and where its DSS_MTS is found: asked by the portal and by DSS_MGW alike."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.media.players import PREFIX
from services.runtime.errors import Problem
from services.smc import accounts, audit, live, models, nodes, peers, player_accounts
from services.smc.live import Urls


@dataclass(frozen=True)
class Candidate:
    """A node that may relay a channel: `why` it cannot now, "" if it can; `load` is its CPU in percent."""

    node: str
    why: str
    load: float


@dataclass(frozen=True)
class Place:
    """Where a stream is; `side` (lan, wan) is where the asker stands, `url` the RTSP address for there.

    `url` holds a one-time token where a user asks, and none where a service of the site does.
    """

    channel: str
    stream: str
    node: str
    load: float
    side: str
    url: str
    rtsp: Urls
    rtsps: Urls


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The least loaded node that can relay, by name among equals; Problem 503 with reasons if none can."""
    able = [one for one in candidates if not one.why]
    if not able:
        told = " ".join(f"{one.node}: {one.why}" for one in candidates)
        raise _away(told or "No node has this channel.")
    return min(able, key=lambda one: (one.load, one.node))


def side(asker: str, lan: str) -> str:
    """`wan` for an asker with a public address where the node's own is not; else `lan`."""
    try:
        outside = ipaddress.ip_address(asker).is_global and not ipaddress.ip_address(lan).is_global
    except ValueError:
        return "lan"
    return "wan" if outside else "lan"


def where(session: Session, channel: str, stream: str, asker: str, user: str = "") -> Place:
    """The place of a stream for an asker at an address; with a token for `user` if there is one.

    Problem 404 for an unknown channel, 403 for a user without the right, 503 with the reason if it is away.
    """
    row = live.known(session, channel)
    name = _allowed(session, user, channel) if user else ""
    stream = live.offered(row, stream)
    found = {one.name: one for one in (nodes.get(session, live.carrying(session, row).node),)}
    chosen = choose([_candidate(one) for one in found.values()])
    node = found[chosen.node]
    _need_stream(node, channel)
    token = ""
    if name:
        token = "?token=" + live.token_for(name, channel, node.name)
        audit.write(session, "live.open", f"{row.name} ({channel})", actor=name, source=asker,
                    details={"via": "gateway", "stream": stream, "node": node.name})  # fmt: skip
    rtsp, rtsps = live.players(node, f"live/{channel}/{stream}{token}")
    stands = side(asker, node.addresses.get("client", node.address))
    url = rtsp.wan if stands == "wan" and rtsp.wan else rtsp.lan
    return Place(channel, stream, node.name, chosen.load, stands, url, rtsp, rtsps)


def _candidate(node: nodes.Node) -> Candidate:
    return Candidate(node.name, _why_not(node), float(node.beat.get("cpu") or 0))


def _why_not(node: nodes.Node) -> str:
    if node.state != "enabled":
        return f"It is {node.state}."
    if node.reach != "reachable":
        return "It has not been heard of for some seconds."
    for one in node.beat.get("services", []):
        if one.get("id") == "mts" and one.get("state") not in ("Running", None):
            return f"Its DSS_MTS is {one['state']}. {one.get('reason') or ''}".strip()
    return ""


def _need_stream(node: nodes.Node, channel: str) -> None:
    """The relay itself says that it has the channel: after a move it takes some seconds to hear of it."""
    try:
        rows: list[dict[str, Any]] = peers.call(peers.of(node), "GET", "/streams", service="mts")
        known = peers.parsed(node.name, lambda: [one for one in rows if one["channel"] == channel])
    except Problem as problem:
        raise _away(f"{problem.what} {problem.why}") from problem
    if not known:
        raise _away(f"The node {node.name} does not relay it yet.")


def _allowed(session: Session, name: str, channel: str) -> str:
    """Whose a token is to be: a person's or a player's account, if it has the right now."""
    if name.startswith(PREFIX):
        return player_accounts.permitted(session, name, channel)
    row = session.scalars(select(models.Account).where(models.Account.key == name.lower())).first()
    if row is None:
        raise Problem("not-allowed", "You may not do this.", "The account is not there any more.",
                      "Log in with another one.", status=403)  # fmt: skip
    account = accounts.Account(row.id, row.name, row.role)
    account.need("live.view")
    return account.name


def _away(why: str) -> Problem:
    return Problem("relay-away", "Nobody can hand out this picture now.", why,
                   "See on the Topology page whether the node runs, then try again.", status=503)  # fmt: skip
