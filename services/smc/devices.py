"""Cameras and recorders: what an administrator entered, and what their node says of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from services.media import plans
from services.runtime import clock, config
from services.runtime.errors import Problem
from services.smc import audit, models, nodes, secrets
from services.smc.accounts import Account
from services.smc.new_devices import MOST_CHANNELS, Channels, New, NewDahua, NewRegister, NewRtsp, rows
from services.smc.store import unit_of_work

__all__ = [
    "MOST_CHANNELS",
    "Channel",
    "Device",
    "New",
    "NewDahua",
    "NewRegister",
    "NewRtsp",
    "add",
    "apply_fact",
    "assignment",
    "get",
    "listing",
    "move",
    "pictures",
    "remove",
    "test",
]

CHECKING = "checking"
STATES = ("checking", "online", "offline", "refused", "unreachable", "garbled")
KEEP_MESSAGES = timedelta(days=14)


@dataclass(frozen=True)
class Channel:
    """One picture source; `streams` holds main and maybe sub, `record` is the mode of its plan."""

    id: str
    device: str
    number: int
    name: str
    streams: list[str]
    record: str = "off"


@dataclass(frozen=True)
class Device:
    """A device without its password; `info` is what it told about itself; `register_id` if it dials in.

    `state` is checking, online, offline, refused, unreachable or garbled.
    """

    id: str
    name: str
    kind: str
    node: str
    url: str | None
    host: str
    port: int
    rtsp_port: int
    register_id: str | None
    username: str
    has_password: bool
    state: str
    reason: str
    since: datetime
    info: dict[str, Any]
    channels: list[Channel]
    created_at: datetime
    created_by: str

    @property
    def carries_pictures(self) -> bool:
        """Whether its channels can be seen and recorded; those of a device that dials in cannot."""
        return self.kind != "register"


def listing(session: Session, node: str | None = None) -> list[Device]:
    """All devices, or those of one node, by name."""
    query = _whole().order_by(models.Device.name, models.Device.id)
    if node is not None:
        query = query.where(models.Device.node == node)
    return [_device(row) for row in session.scalars(query)]


def pictures(session: Session) -> list[Channel]:
    """The channels that can be seen and recorded, by the name of their device."""
    found = (one for one in listing(session) if one.carries_pictures)
    return [channel for device in found for channel in device.channels]


def get(session: Session, id: str) -> Device:
    """One device; Problem 404 if there is none of that id."""
    return _device(_row(session, id))


def add(session: Session, new: New, account: Account) -> Device:
    """Note a device and return at once; its node checks it then. Problem 409 for a duplicate."""
    account.need("devices.manage")
    row, channels = rows(new)
    return _insert(session, row, channels, account)


@unit_of_work
def remove(session: Session, id: str, account: Account) -> None:
    """Forget a device with its channels; audited."""
    account.need("devices.manage")
    row = _row(session, id)
    session.delete(row)
    audit.write(session, "device.remove", f"{row.name} ({id})", actor=account.name, source=account.source)


@unit_of_work
def move(session: Session, id: str, node: str, account: Account) -> Device:
    """Give a device to another enabled node, which then checks it; audited."""
    account.need("devices.manage")
    row = _row(session, id)
    nodes.need_enabled(session, node)
    if row.node != node:
        details = {"from": row.node, "to": node}
        row.node, row.changed_at = node, clock.now()
        _set_checking(row)
        audit.write(session, "device.move", f"{row.name} ({id})", actor=account.name, source=account.source,
                    details=details)  # fmt: skip
    return _device(row)


@unit_of_work
def test(session: Session, id: str, account: Account) -> Device:
    """Ask for a new check; the state is `checking` until the device's node, which polls each 2 s, made it."""
    account.need("devices.manage")
    row = _row(session, id)
    row.changed_at = clock.now()
    _set_checking(row)
    audit.write(session, "device.test", f"{row.name} ({id})", actor=account.name, source=account.source)
    return _device(row)


@unit_of_work
def apply_fact(
    session: Session, fact: dict[str, Any], msg_id: str | None = None, node: str | None = None
) -> bool:
    """Apply `{"device","state","reason","at","info"}` of a node; returns whether it changed anything.

    Repeated messages (`msg_id`) and facts older than the one known change nothing; a fact that cannot be
    read is a Problem 422, one about a removed device, or one that `node` does not have, is dropped.
    """
    at = _fact_time(fact)
    if node is not None and not _has(session, node, fact["device"]):
        return False
    if msg_id is not None and not _first_time(session, msg_id):
        return False
    row = session.get(models.DeviceState, fact["device"], with_for_update=True, populate_existing=True)
    if row is None or (row.state != CHECKING and row.at >= at):
        return False
    changed: bool = row.state != fact["state"]
    row.state, row.at = fact["state"], at
    row.reason, row.info = str(fact.get("reason") or "")[:500], dict(fact.get("info") or {})
    return changed


def _has(session: Session, node: str, device: str) -> bool:
    row = session.get(models.Device, device)
    return row is not None and row.node == node


def assignment(session: Session, node: str) -> list[dict[str, Any]]:
    """The devices of a node with their passwords, in the JSON shape of the cluster interface."""
    query = _whole().where(models.Device.node == node).order_by(models.Device.id)
    return [_assigned(row) for row in session.scalars(query)]


def _assigned(row: models.Device) -> dict[str, Any]:
    return {
        "id": row.id, "name": row.name, "kind": row.kind, "url": row.url, "host": row.host, "port": row.port,
        "rtsp_port": row.rtsp_port, "register_id": row.register_id,
        "username": row.username, "password": secrets.unseal(row.secret, row.id),
        "changed_at": clock.iso(row.changed_at),
        "channels": [
            {
                "id": one.id,
                "name": one.name,
                "number": one.number,
                "streams": one.streams.split(","),
                "record": plan_of(one).old_word,
                "plan": plan_of(one).as_dict(),
            }
            for one in row.channels
        ],
    }  # fmt: skip


@unit_of_work
def _insert(session: Session, row: models.Device, channels: Channels, account: Account) -> Device:
    nodes.need_enabled(session, row.node)
    values = {c.name: getattr(row, c.name) for c in models.Device.__table__.columns}
    fresh = models.Device(**values | {"created_by": account.name})
    fresh.channels = [
        models.Channel(id=f"{row.id}-{number}", number=number, name=name, streams=streams)
        for number, name, streams in channels
    ]
    fresh.state = models.DeviceState(state=CHECKING, reason="", at=row.created_at, info={})
    try:
        with session.begin_nested():
            session.add(fresh)
    except IntegrityError:
        raise _duplicate(session, row.identity) from None
    audit.write(session, "device.add", f"{row.name} ({row.id})", actor=account.name, source=account.source,
                details={"kind": row.kind, "node": row.node, "address": row.identity})  # fmt: skip
    return _device(fresh)


def _duplicate(session: Session, identity: str) -> Problem:
    name = session.scalars(select(models.Device.name).where(models.Device.identity == identity)).first()
    return Problem(
        "device-exists", "This device is there already.",
        f"It was added as {name!r}." if name else "Someone else has just added it.",
        "Use the device that is there, or remove it first.", status=409,
    )  # fmt: skip


def _set_checking(row: models.Device) -> None:
    row.state.state, row.state.reason, row.state.at = CHECKING, "", clock.now()


def _fact_time(fact: dict[str, Any]) -> datetime:
    try:
        if fact["state"] not in STATES or not isinstance(fact["device"], str):
            raise ValueError(f"unknown state {fact['state']!r}")
        return clock.parse(fact["at"])
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(
            "fact-unreadable",
            "A device's state cannot be read.",
            f"{error}.",
            "The message is left out.",
            status=422,
        ) from error


def _first_time(session: Session, msg_id: str) -> bool:
    now = clock.now()
    old = delete(models.AppliedMessage).where(models.AppliedMessage.at < now - KEEP_MESSAGES)
    try:
        with session.begin_nested():
            session.add(models.AppliedMessage(id=msg_id[:128], at=now))
    except IntegrityError:
        return False
    session.execute(old.with_dialect_options(mysql_limit=20))
    return True


def _whole() -> Select[models.Device]:
    return select(models.Device).options(
        selectinload(models.Device.channels).selectinload(models.Channel.plan),
        selectinload(models.Device.state),
    )


def _row(session: Session, id: str) -> models.Device:
    row = session.scalars(_whole().where(models.Device.id == id)).first()
    if row is None:
        raise Problem(
            "device-unknown", "There is no such device.", "It was removed, or the id is wrong.",
            "Look at the list of devices.", status=404,
        )  # fmt: skip
    return row


def _device(row: models.Device) -> Device:
    return Device(
        row.id, row.name, row.kind, row.node, row.url, row.host, row.port, row.rtsp_port,
        row.register_id, row.username,
        # The sealed form of "" is version, nonce and tag alone.
        len(row.secret) > 1 + secrets.NONCE + 16,
        row.state.state, row.state.reason, row.state.at, row.state.info,
        [_channel(row.id, one) for one in row.channels],
        row.created_at, row.created_by,
    )  # fmt: skip


def _channel(device: str, row: models.Channel) -> Channel:
    return Channel(row.id, device, row.number, row.name, row.streams.split(","), plan_of(row).mode)


def plan_of(row: models.Channel) -> plans.Plan:
    """When a channel is recorded, as an administrator said last."""
    kept = row.plan
    if kept is None:
        return plans.Plan()
    mode = kept.kind if kept.kind in plans.MODES else plans.OFF
    week = plans.week(kept.week) if kept.week else plans.NO_WEEK
    streams = kept.streams if kept.streams in plans.STREAMS else plans.MAIN
    return plans.Plan(mode, week, kept.pre_seconds, kept.post_seconds, _zone(config.root()), kept.sound,
                      kept.fetch, streams)  # fmt: skip


@lru_cache(maxsize=8)
def _zone(_: Path) -> str:
    """Where the weeks of plans count. Asked for each channel; a changed inventory restarts who asks."""
    return str(config.load_service("smc").settings.get("timezone", "UTC"))
