"""Named moments of a channel, for everybody who may see its recordings."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, live, models
from services.smc.accounts import Account
from services.smc.store import unit_of_work

MOST = 200
"""Bookmarks of one channel."""
MOST_CHANNELS = 9
LONGEST_NAME = 80
PERMISSION = "recordings.view"
REMOVES_ALL = "devices.manage"


@dataclass(frozen=True)
class Bookmark:
    """A moment of a channel (milliseconds since 1970) under a name, and the account that set it."""

    id: str
    channel: str
    at: int
    name: str
    by: str
    made_at: datetime


def listing(session: Session, channels: Sequence[str], account: Account) -> list[Bookmark]:
    """Those of at most `MOST_CHANNELS` channels by moment; a channel that is not known has none."""
    account.need(PERMISSION)
    if len(channels) > MOST_CHANNELS:
        why = f"They are of more than {MOST_CHANNELS} channels."
        raise Problem("bookmark-wrong", "The bookmarks were not listed.", why, "Ask for fewer.", status=422)
    table = models.Bookmark
    found = select(table).where(table.channel_id.in_(channels)).order_by(table.at, table.id)
    return [_bookmark(row) for row in session.scalars(found)]


@unit_of_work
def add(session: Session, channel: str, at: int, name: str, account: Account) -> Bookmark:
    """Keep a moment under a name; audited. Problem 404, 422 for what cannot be one, 409 when full."""
    account.need(PERMISSION)
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise _wrong(f"Its name needs 1 to {LONGEST_NAME} visible characters.", "Choose another name.")
    if not 0 <= at <= clock.LATEST_MS:
        raise _wrong(f"{at} is no moment in milliseconds since 1970.", "Give the moment in milliseconds.")
    # Two of one channel queue here, so that the bound holds.
    found = live.known(session, channel, lock=True)
    _room(session, channel)
    row = models.Bookmark(id=secrets.token_hex(8), channel_id=channel, at=at, name=name, made_by=account.name,
                          made_at=clock.now())  # fmt: skip
    session.add(row)
    _note(session, "bookmark.add", row, found.name, account)
    session.flush()
    return _bookmark(row)


@unit_of_work
def remove(session: Session, id: str, account: Account) -> None:
    """Forget a bookmark; audited. Those of others need the permission `REMOVES_ALL`."""
    account.need(PERMISSION)
    row = session.get(models.Bookmark, id[:16])
    if row is None or row.id != id:
        raise Problem(
            "bookmark-unknown", "There is no such bookmark.", "It was removed, or its camera was.",
            "Open the playback page again.", status=404,
        )  # fmt: skip
    if row.made_by != account.name:
        account.need(REMOVES_ALL)
    session.delete(row)
    _note(session, "bookmark.remove", row, row.channel_id, account)


def _room(session: Session, channel: str) -> None:
    table = models.Bookmark
    count = session.scalar(select(func.count()).select_from(table).where(table.channel_id == channel)) or 0
    if count >= MOST:
        raise Problem(
            "bookmarks-full", "The bookmark was not set.", f"The camera has {MOST}, which is the most.",
            "Remove one that nobody needs.", status=409,
        )  # fmt: skip


def _note(session: Session, action: str, row: models.Bookmark, channel: str, account: Account) -> None:
    audit.write(session, action, f"{row.name} ({channel})", actor=account.name, source=account.source,
                details={"channel": row.channel_id, "at": row.at, "by": row.made_by})  # fmt: skip


def _wrong(why: str, remedy: str) -> Problem:
    return Problem("bookmark-wrong", "The bookmark was not set.", why, remedy, status=422)


def _bookmark(row: models.Bookmark) -> Bookmark:
    return Bookmark(row.id, row.channel_id, row.at, row.name, row.made_by, row.made_at)
