"""Recordings: when a channel is recorded, what was, and the permission to look at it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from services.media import plans
from services.media.plans import CONTINUOUS, Plan
from services.runtime import clock, config
from services.runtime.errors import Problem
from services.smc import devices, live, models, nodes, peers
from services.smc.accounts import Account
from services.smc.live import Urls
from services.smc.store import unit_of_work

SCOPE = "recording/"
ANY = "any"
LONGEST_MS = 32 * 86_400_000


@dataclass(frozen=True)
class Recording:
    """When a channel is recorded: `plan` is off, continuous, event, manual or weekly."""

    channel: str
    plan: str


@dataclass(frozen=True)
class Interval:
    """Recorded from `start` up to, not including, `end`, milliseconds since 1970.

    `after` is gap, clock or join; `kind` continuous, event or manual. `source` is camera for what was fetched
    from its own storage, else empty. `stream` is sub where only the sub stream was recorded, or asked for.
    """

    start: float
    end: float
    after: str
    kind: str
    locked: bool
    source: str = ""
    stream: str = plans.MAIN


@dataclass(frozen=True)
class GapFetch:
    """What becomes of a gap: it is waiting or fetching, from the camera's own storage, or stays.

    `done` (0 to 1) of it has been asked for, `seconds` are still owed; both are null where it stays, and
    `part` (some of it was fetched) everywhere else. `why` says what stood in the way last, if anything did.
    """

    state: str
    why: str
    done: float | None
    seconds: float | None
    part: bool | None


@dataclass(frozen=True)
class Gap:
    """Nothing is recorded from `start` up to, not including, `end`, milliseconds since 1970.

    `reason`: camera, relay (DSS_MTS was away), disk, recorder (DSS_SS was away), node (so it was, and the
    server restarted), clock (it was set), plan (none for that time), gone (no longer kept) or unknown.
    `detail` is a sentence for people, or empty.
    """

    start: float
    end: float
    reason: str
    detail: str = ""
    fetch: GapFetch | None = None


@dataclass(frozen=True)
class Timeline:
    """What of a span is recorded; `covered` milliseconds of it. Intervals stand in the order of recording.

    `gaps` up to now; none of a search for one kind or for locks, nor of a node of an earlier release.
    """

    channel: str
    covered: int
    intervals: list[Interval]
    gaps: list[Gap]


@dataclass(frozen=True)
class PlaybackAnswer:
    """`ws`, `clip` and `thumbnail` are paths on the portal's own origin; times in them are milliseconds.

    `clip` takes `&from=` and `&to=`, `thumbnail` (a JPEG of at most 320 x 180) takes `&at=`. All of them, and
    `rtsp` and `rtsps`, take `&stream=` main (if it is missing) or sub, and fall back to what was recorded.

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
    """Give a channel another mode, and leave the rest of its plan; otherwise as `change_plan`."""
    account.need("devices.manage")
    _change(session, live.known(session, channel), {"mode": plan}, account)
    return Recording(channel, plan)


def plan(session: Session, channel: str, account: Account) -> Plan:
    """The plan of a channel."""
    account.need("recordings.view")
    return devices.plan_of(live.known(session, channel))


@unit_of_work
def change_plan(session: Session, channel: str, wanted: dict[str, Any], account: Account) -> Plan:
    """Plan a channel (as RecordingPlan of the API); its node follows within seconds. Audited.

    Problem 422 for a plan that is none, 409 where the channel has no pictures.
    """
    account.need("devices.manage")
    return _change(session, live.known(session, channel), wanted, account)


def _change(session: Session, row: models.Channel, wanted: dict[str, Any], account: Account) -> Plan:
    old = devices.plan_of(row)
    try:
        new = plans.checked(old.as_dict() | wanted)
    except (ValueError, KeyError, TypeError) as error:
        raise Problem("plan-wrong", "This plan cannot be used.", f"{error}.", "Correct it and try again.",
                      status=422) from error  # fmt: skip
    if new.mode != plans.OFF:
        live.carrying(session, row)
    _need_streams(row, new)
    row.plan = kept = row.plan or models.RecordingPlan(channel_id=row.id)
    kept.kind, kept.pre_seconds, kept.post_seconds = new.mode, new.pre, new.post
    kept.week, kept.sound, kept.fetch = new.as_dict()["week"], new.sound, new.fetch
    kept.streams, kept.changed_at, kept.changed_by = new.streams, clock.now(), account.name
    told: dict[str, Any] = {"plan": new.mode, "pre": new.pre, "post": new.post}
    told |= {"sound": new.sound, "fetch": new.fetch, "streams": new.streams}
    told |= {"week": kept.week} if new.week != old.week else {}
    live.note(session, "recording.plan", row, account, told)
    return new


def _need_streams(row: models.Channel, new: Plan) -> None:
    if new.streams != plans.MAIN and plans.SUB not in row.streams.split(","):
        raise Problem("stream-none", "This plan cannot be used.", "The camera has no sub stream.",
                      "Record its main stream.", status=409)  # fmt: skip


def open(session: Session, channel: str, account: Account, via: str = "portal") -> PlaybackAnswer:
    """A token for `account` to see what is recorded of `channel`; audited."""
    row, node = place(session, channel, account)
    token = live.token_for(account.name, SCOPE + channel, node.name)
    live.note(session, "recording.open", row, account, {"via": via, "node": node.name})
    base = live.prefix(node.name, "ss")
    ws, clip, thumbnail = (f"{base}/{verb}/{channel}?token={token}" for verb in ("play", "clip", "thumbnail"))
    rtsp, rtsps = (_players(one, node, channel, token) for one in ("rtsp", "rtsps"))
    return PlaybackAnswer(token, live.VALID, channel, node.name, ws, clip, thumbnail, rtsp, rtsps)


def _players(scheme: str, node: nodes.Node, channel: str, token: str) -> Urls | None:
    ports = node.beat.get("ports", {}).get("ss") or config.load_service("ss").ports
    path = f"recording/{channel}?token={token}"
    return live.urls(scheme, node, ports[scheme], path) if scheme in ports else None


def timeline(
    session: Session,
    channel: str,
    start: int,
    end: int,
    account: Account,
    kind: str = ANY,
    locked: str = ANY,
    stream: str = ANY,
) -> Timeline:
    """What is recorded in [start, end), milliseconds since 1970: of one kind, locked (`true`) or not.

    `stream`: of main or sub alone; any: all that can be shown, of the sub stream what the main one lacks.
    """
    _, node = place(session, channel, account)
    if not 0 <= start < end <= start + LONGEST_MS:
        raise Problem("span-wrong", "The span of time cannot be used.",
                      "`start` must lie before `end`, by at most 32 days.",
                      "Correct it and try again.", status=422)  # fmt: skip
    path = f"/recorded/{quote(channel)}?from={start}&to={end}&kind={kind}&locked={locked}"
    path += f"&stream={stream}"
    found = peers.call(peers.of(node), "GET", path, service="ss")
    return peers.parsed(node.name, lambda: _timeline(channel, found))


def _timeline(channel: str, found: dict[str, Any]) -> Timeline:
    gaps = [_gap(one) for one in found.get("gaps", [])]
    return Timeline(channel, int(found["covered"]), [_interval(one) for one in found["intervals"]], gaps)


def _gap(one: dict[str, Any]) -> Gap:
    fetch = _fetch(one["fetch"]) if one.get("fetch") else None
    return Gap(float(one["start"]), float(one["end"]), str(one["reason"]), str(one.get("detail", "")), fetch)


def _fetch(one: dict[str, Any]) -> GapFetch:
    done, seconds = (None if one.get(name) is None else float(one[name]) for name in ("done", "seconds"))
    part = None if one.get("part") is None else bool(one["part"])
    return GapFetch(str(one["state"]), str(one["why"]), done, seconds, part)


def _interval(one: dict[str, Any]) -> Interval:
    # A node of an earlier release records continuously and has no locks.
    kind, locked = str(one.get("kind", CONTINUOUS)), bool(one.get("locked"))
    return Interval(float(one["start"]), float(one["end"]), str(one["after"]), kind, locked,
                    str(one.get("source", "")), str(one.get("stream", plans.MAIN)))  # fmt: skip


def place(session: Session, channel: str, account: Account) -> tuple[models.Channel, nodes.Node]:
    """A channel, and the node that has its recordings; Problem 404, or 409 where that cannot be asked."""
    account.need("recordings.view")
    return live.place(session, channel)
