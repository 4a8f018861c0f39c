"""Recordings: when a channel is recorded, and the permission to look at what was."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from services.runtime import clock, config
from services.runtime.errors import Problem
from services.smc import audit, live, models, nodes, peers
from services.smc.accounts import Account
from services.smc.live import Urls
from services.smc.store import unit_of_work

PLANS = ("continuous", "off")
SCOPE = "recording/"
LONGEST_MS = 32 * 86_400_000


@dataclass(frozen=True)
class Recording:
    """When a channel is recorded: `plan` is continuous or off."""

    channel: str
    plan: str


@dataclass(frozen=True)
class Interval:
    """Recorded from `start` up to, not including, `end`, milliseconds since 1970; `after` is gap or clock."""

    start: float
    end: float
    after: str


@dataclass(frozen=True)
class Timeline:
    """What of a span is recorded; `covered` milliseconds of it. Intervals stand in the order of recording."""

    channel: str
    covered: int
    intervals: list[Interval]


@dataclass(frozen=True)
class PlaybackAnswer:
    """`ws`, `clip` and `thumbnail` are paths on the portal's own origin; times in them are milliseconds.

    `clip` takes `&from=` and `&to=`, `thumbnail` (a JPEG of at most 320 x 180) takes `&at=`.

    `rtsp` and `rtsps` are for players and take `&start=` and `&end=` (ISO 8601); null while the node runs a
    release that has none. All hold the token, which works once, for one of them, within `expires_in` seconds.
    """

    token: str
    expires_in: int
    channel: str
    node: str
    ws: str
    clip: str
    thumbnail: str
    rtsp: Urls | None
    rtsps: Urls | None


@unit_of_work
def set_plan(session: Session, channel: str, plan: str, account: Account) -> Recording:
    """Plan a channel; its node follows within seconds. Audited. Problem 409 where it has no pictures."""
    account.need("devices.manage")
    row = _row(session, channel)
    if plan not in PLANS:
        raise Problem("plan-unknown", "This plan is not known.", f"{plan!r} is none of {', '.join(PLANS)}.",
                      "Choose one of them.", status=422)  # fmt: skip
    if plan != "off":
        live.carrying(session, row)
    now = clock.now()
    if row.plan is None:
        row.plan = models.RecordingPlan(
            channel_id=channel, kind=plan, changed_at=now, changed_by=account.name
        )
    elif row.plan.kind != plan:
        row.plan.kind, row.plan.changed_at, row.plan.changed_by = plan, now, account.name
    audit.write(session, "recording.plan", f"{row.name} ({channel})", actor=account.name,
                source=account.source, details={"plan": plan})  # fmt: skip
    return Recording(channel, plan)


def open(session: Session, channel: str, account: Account, via: str = "portal") -> PlaybackAnswer:
    """A token for `account` to see what is recorded of `channel`; audited."""
    row, node = _place(session, channel, account)
    token = live.token_for(account.name, SCOPE + channel, node.name)
    audit.write(session, "recording.open", f"{row.name} ({channel})", actor=account.name,
                source=account.source, details={"via": via, "node": node.name})  # fmt: skip
    base = "/ss" if node.name == config.load_node().name else f"/nodes/{node.name}/ss"
    ws, clip, thumbnail = (f"{base}/{verb}/{channel}?token={token}" for verb in ("play", "clip", "thumbnail"))
    rtsp, rtsps = (_players(one, node, channel, token) for one in ("rtsp", "rtsps"))
    return PlaybackAnswer(token, live.VALID, channel, node.name, ws, clip, thumbnail, rtsp, rtsps)


def _players(scheme: str, node: nodes.Node, channel: str, token: str) -> Urls | None:
    ports = node.beat.get("ports", {}).get("ss") or config.load_service("ss").ports
    path = f"recording/{channel}?token={token}"
    return live.urls(scheme, node, ports[scheme], path) if scheme in ports else None


def timeline(session: Session, channel: str, start: int, end: int, account: Account) -> Timeline:
    """What is recorded in [start, end), milliseconds since 1970."""
    _, node = _place(session, channel, account)
    if not 0 <= start < end <= start + LONGEST_MS:
        raise Problem("span-wrong", "The span of time cannot be used.",
                      "`start` must lie before `end`, by at most 32 days.",
                      "Correct it and try again.", status=422)  # fmt: skip
    path = f"/recorded/{quote(channel)}?from={start}&to={end}"
    found = peers.call(peers.of(node), "GET", path, service="ss")
    return peers.parsed(node.name, lambda: _timeline(channel, found))


def _timeline(channel: str, found: dict[str, Any]) -> Timeline:
    rows = [Interval(float(one["start"]), float(one["end"]), str(one["after"])) for one in found["intervals"]]
    return Timeline(channel, int(found["covered"]), rows)


def _place(session: Session, channel: str, account: Account) -> tuple[models.Channel, nodes.Node]:
    account.need("recordings.view")
    row = _row(session, channel)
    return row, live.ready(session, live.carrying(session, row).node)


def _row(session: Session, channel: str) -> models.Channel:
    row = session.get(models.Channel, channel)
    if row is None:
        raise live.no_channel()
    return row
