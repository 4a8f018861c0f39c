"""Accounts of RTSP players: decoders that open one address again and again, by name and secret."""

import json
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.media import digest
from services.media.players import PREFIX
from services.runtime import clock, config
from services.runtime.errors import Problem
from services.smc import audit, devices, live, models, nodes
from services.smc import secrets as sealed
from services.smc.accounts import Account, check_name
from services.smc.store import unit_of_work

PERMISSION = "accounts.manage"
MOST, MOST_CHANNELS = 200, 500
SECRET_BYTES = 18


@dataclass(frozen=True)
class Rights:
    """What an account may: `channels` None for all, `ends` in milliseconds since 1970 or None for never."""

    channels: list[str] | None
    recordings: bool = False
    enabled: bool = True
    ends: int | None = None


@dataclass(frozen=True)
class PlayerAccount:
    """An account of RTSP players without its secret, which nobody can be told again."""

    name: str
    channels: list[str] | None
    recordings: bool
    enabled: bool
    ends: int | None
    made_at: datetime
    made_by: str


@dataclass(frozen=True)
class PlayerSecret:
    """A secret that was just made; it is told this once."""

    name: str
    secret: str


def listing(session: Session, account: Account) -> list[PlayerAccount]:
    """All of them by name."""
    account.need(PERMISSION)
    return [_shown(row) for row in session.scalars(_all())]


def get(session: Session, name: str, account: Account) -> PlayerAccount:
    """One of them; Problem 404 if there is none of the name."""
    account.need(PERMISSION)
    return _shown(_row(session, name))


@unit_of_work
def add(session: Session, name: str, rights: Rights, account: Account) -> PlayerSecret:
    """Make an account and its secret; audited. Problem 409 when the name is taken, 422 for what cannot be."""
    account.need(PERMISSION)
    check_name(name)
    _check(session, rights)
    if session.get(models.PlayerAccount, name, with_for_update=True):
        raise _wrong("There is one of this name.", "Choose another name.", 409)
    if (session.scalar(select(func.count()).select_from(models.PlayerAccount)) or 0) >= MOST:
        raise _wrong(f"There are {MOST}, which is the most.", "Remove one that nobody needs.", 409)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    session.add(models.PlayerAccount(
        name=name, secret=_seal(name, secret), made_at=clock.now(), made_by=account.name, **asdict(rights),
    ))  # fmt: skip
    _note(session, "player.add", name, account, asdict(rights))
    return PlayerSecret(name, secret)


@unit_of_work
def change(session: Session, name: str, rights: Rights, account: Account) -> PlayerAccount:
    """Give an account other rights; players that may no longer see what they see are sent away. Audited."""
    account.need(PERMISSION)
    row = _row(session, name)
    _check(session, rights)
    for key, value in asdict(rights).items():
        setattr(row, key, value)
    _note(session, "player.change", name, account, asdict(rights))
    return _shown(row)


@unit_of_work
def renew(session: Session, name: str, account: Account) -> PlayerSecret:
    """Make another secret; the one before opens nothing any more. Audited."""
    account.need(PERMISSION)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    _row(session, name).secret = _seal(name, secret)
    _note(session, "player.renew", name, account, {})
    return PlayerSecret(name, secret)


@unit_of_work
def remove(session: Session, name: str, account: Account) -> None:
    """Forget an account and send its players away; audited."""
    account.need(PERMISSION)
    session.delete(_row(session, name))
    _note(session, "player.remove", name, account, {})


def addresses(session: Session, channels: list[str] | None) -> list[tuple[devices.Channel, live.Urls]]:
    """Where players find the main streams of these channels, None for all: DSS_MGW, or the node itself."""
    known = {one.name: one for one in nodes.listing(session)}
    main, port = known[config.load_node().name], live.gateway_port()
    found = []
    for device in (one for one in devices.listing(session) if one.carries_pictures):
        for channel in (one for one in device.channels if channels is None or one.id in channels):
            path = f"live/{channel.id}/{live.STREAMS[0]}"
            own, _ = live.players(known[device.node], path)
            found.append((channel, live.urls("rtsp", main, port, path) if port else own))
    return found


def assignment(session: Session, channels: frozenset[str] | None) -> list[dict[str, Any]]:
    """What a node with these channels is told, None for all; `services.media.players` reads it."""
    rows = session.scalars(_all().where(models.PlayerAccount.enabled))
    return [told for row in rows if (told := _told(row, channels))]


def permitted(session: Session, user: str, channel: str) -> str:
    """The user of a token for an account of players, if it may see a channel now; Problem 403 if not."""
    row = session.get(models.PlayerAccount, user.removeprefix(PREFIX))
    if row is None or not row.enabled or (row.ends is not None and row.ends <= time.time() * 1000):
        raise _refused("The account is not there any more, is switched off, or its time is over.")
    if row.channels is not None and channel not in row.channels:
        raise _refused("The account is for other cameras.")
    return PREFIX + row.name


def _all() -> Any:  # noqa: ANN401 - a query
    return select(models.PlayerAccount).order_by(models.PlayerAccount.name)


def _row(session: Session, name: str) -> models.PlayerAccount:
    row = session.get(models.PlayerAccount, name[:32])
    if row is None or row.name != name:
        raise Problem("player-unknown", "There is no such account of players.", "It was removed meanwhile.",
                      "Look at the list again.", status=404)  # fmt: skip
    return row


def _check(session: Session, rights: Rights) -> None:
    if rights.channels is None:
        return
    if not 1 <= len(rights.channels) <= MOST_CHANNELS:
        raise _wrong(f"It needs 1 to {MOST_CHANNELS} cameras, or all.", "Choose its cameras.")
    for channel in rights.channels:
        live.known(session, channel)


def _seal(name: str, secret: str) -> bytes:
    return sealed.seal(json.dumps(digest.hashes(name, secret)), PREFIX + name)


def _told(row: models.PlayerAccount, channels: frozenset[str] | None) -> dict[str, Any] | None:
    mine = row.channels
    if mine is not None and channels is not None and not (mine := [one for one in mine if one in channels]):
        return None
    return {
        "name": row.name,
        "hashes": json.loads(sealed.unseal(row.secret, PREFIX + row.name)),
        "channels": mine,
        "recordings": row.recordings,
        "ends": None if row.ends is None else row.ends / 1000,
    }


def _note(session: Session, action: str, name: str, account: Account, details: dict[str, Any]) -> None:
    audit.write(session, action, name, actor=account.name, source=account.source, details=details)


def _shown(row: models.PlayerAccount) -> PlayerAccount:
    return PlayerAccount(
        row.name, row.channels, row.recordings, row.enabled, row.ends, row.made_at, row.made_by
    )


def _wrong(why: str, remedy: str, status: int = 422) -> Problem:
    return Problem("player-wrong", "The account of players was not kept.", why, remedy, status=status)


def _refused(why: str) -> Problem:
    return Problem("not-allowed", "You may not do this.", why, "Ask an administrator.", status=403)
