"""Walls of live pictures that an account keeps for itself: nobody else sees them."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, models
from services.smc.accounts import Account
from services.smc.store import unit_of_work

SIZES = (1, 4, 9, 16, 25, 36)
STREAMS = ("auto", "main", "sub", "converted")
MOST = 32
LONGEST_NAME = 64
CHANNEL = re.compile(r"[A-Za-z0-9-]{1,20}")
PERMISSION = "live.view"


@dataclass(frozen=True)
class Tile:
    """One place of a wall: the channel in it ("" for none); `stream` is auto, main or sub."""

    channel: str
    stream: str


@dataclass(frozen=True)
class Layout:
    """A wall under its name: `size` pictures, one tile for each; `first`: it opens with the page."""

    id: str
    name: str
    size: int
    tiles: list[Tile]
    first: bool
    changed_at: datetime


def listing(session: Session, account: Account) -> list[Layout]:
    """All layouts of the account, by name."""
    account.need(PERMISSION)
    return sorted((_layout(row) for row in _rows(session, account)), key=lambda one: one.name.casefold())


def get(session: Session, id: str, account: Account) -> Layout:
    """One layout of the account; Problem 404 if it has none of that id."""
    account.need(PERMISSION)
    return _layout(_row(session, id, account))


@unit_of_work
def save(
    session: Session, name: str, size: int, tiles: Sequence[Tile], account: Account, first: bool = False
) -> Layout:
    """Keep a wall under a name, in place of the one that has it; with `first` no other opens first. Audited.

    Missing tiles are empty. Problem 422 for what cannot be kept, 409 when the account has `MOST` others.
    """
    account.need(PERMISSION)
    name = name.strip()
    _check(name, size, tiles)
    # Two saves of one account queue here, so that neither the limit nor the one that opens first is overrun.
    session.get(models.Account, account.id, with_for_update=True)
    row = _named(session, name, account)
    row.size, row.changed_at, row.opens_first = size, clock.now(), first
    row.tiles = [{"channel": one.channel, "stream": one.stream} for one in _filled(tiles, size)]
    if first:
        _only_first(session, row)
    audit.write(session, "layout.save", name, actor=account.name, source=account.source,
                details={"size": size, "first": first})  # fmt: skip
    session.flush()
    return _layout(row)


@unit_of_work
def remove(session: Session, id: str, account: Account) -> None:
    """Forget a layout of the account; audited."""
    account.need(PERMISSION)
    row = _row(session, id, account)
    session.delete(row)
    audit.write(session, "layout.remove", row.name, actor=account.name, source=account.source)


def _rows(session: Session, account: Account) -> list[models.Layout]:
    return list(session.scalars(select(models.Layout).where(models.Layout.account_id == account.id)))


def _row(session: Session, id: str, account: Account) -> models.Layout:
    row = session.get(models.Layout, id[:16])
    if row is None or row.id != id or row.account_id != account.id:
        raise Problem(
            "layout-unknown", "There is no such layout.", "It was removed, or belongs to somebody else.",
            "Choose one from the list of layouts on the live page.", status=404,
        )  # fmt: skip
    return row


def _named(session: Session, name: str, account: Account) -> models.Layout:
    """The row of that name, a new one where there is none."""
    rows = _rows(session, account)
    if row := next((one for one in rows if one.name == name), None):
        return row
    if len(rows) >= MOST:
        raise Problem(
            "layouts-full", "The layout was not saved.", f"You have {MOST} layouts, which is the most.",
            "Remove one that you do not need, or save this one under its name.", status=409,
        )  # fmt: skip
    row = models.Layout(id=secrets.token_hex(8), account_id=account.id, name=name)
    session.add(row)
    return row


def _only_first(session: Session, row: models.Layout) -> None:
    others = update(models.Layout).where(models.Layout.account_id == row.account_id)
    session.execute(others.where(models.Layout.id != row.id).values(opens_first=False))


def _filled(tiles: Sequence[Tile], size: int) -> list[Tile]:
    return [*tiles, *[Tile("", "auto")] * (size - len(tiles))]


def _check(name: str, size: int, tiles: Sequence[Tile]) -> None:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        _wrong(f"Its name needs 1 to {LONGEST_NAME} visible characters.", "Choose another name.")
    if size not in SIZES:
        _wrong(f"{size} is none of {', '.join(map(str, SIZES))} pictures.", "Choose one of these sizes.")
    if len(tiles) > size:
        _wrong(f"{len(tiles)} tiles are more than {size}.", "Give at most one for each picture.")
    for one in tiles:
        if (one.channel and not CHANNEL.fullmatch(one.channel)) or one.stream not in STREAMS:
            _wrong(
                "A tile names no channel, or no stream.",
                f"Give a channel's id, and one of {', '.join(STREAMS)}.",
            )


def _wrong(why: str, remedy: str) -> None:
    raise Problem("layout-wrong", "The layout was not saved.", why, remedy, status=422)


def _layout(row: models.Layout) -> Layout:
    tiles = [Tile(one["channel"], one["stream"]) for one in row.tiles]
    return Layout(row.id, row.name, row.size, tiles, row.opens_first, row.changed_at)
