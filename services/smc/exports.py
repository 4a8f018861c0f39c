"""Exports: spans of recordings to take along. Main keeps the list; each node makes its channels' part."""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.runtime import clock, config
from services.runtime.errors import Problem
from services.smc import audit, everywhere, export_parts, live, models, nodes, peers
from services.smc.accounts import Account
from services.smc.export_parts import ExportPart
from services.smc.store import unit_of_work

PERMISSION = "recordings.export"
FORMATS = ("mp4", "fmp4")
MOST_CHANNELS = 16
LONGEST_MS = 24 * 3_600_000
SHOWN = 200
FORGET = timedelta(days=60)
"""An order stays in the list for so long; the nodes keep results for less."""


@dataclass(frozen=True)
class ExportChannel:
    """A channel of an export, as it was called when it was ordered, and the node that has its recordings."""

    channel: str
    name: str
    node: str


@dataclass(frozen=True)
class Export:
    """An export of [start, end), milliseconds since 1970, with one part for each node of its channels.

    `state`: queued, running, verifying, done, failed, cancelled; gone: too old; away: a node cannot be asked.
    """

    id: str
    by: str
    at: datetime
    format: str
    start: int
    end: int
    state: str
    channels: list[ExportChannel]
    parts: list[ExportPart]

    @property
    def open(self) -> bool:
        """Whether something of it is still to be made."""
        return self.state in export_parts.OPEN

    @property
    def progress(self) -> float:
        """How much of it is written, 0 to 1."""
        total = sum(one.total for one in self.parts)
        return min(1.0, sum(one.written for one in self.parts) / total) if total else 0.0


def listing(session: Session, account: Account) -> list[Export]:
    """The newest exports with what their nodes say of them now."""
    account.need(PERMISSION)
    query = select(models.Export).order_by(models.Export.ordered_at.desc()).limit(SHOWN)
    rows = list(session.scalars(query))
    # What is asked of nodes ends the transaction, which would have each row read again.
    session.expunge_all()
    return _told(session, rows)


def get(session: Session, id: str, account: Account) -> Export:
    """One export; Problem 404 if there is none of that id."""
    account.need(PERMISSION)
    return _told(session, [ordered(session, id)])[0]


def order(
    session: Session, channels: Sequence[str], start: int, end: int, form: str, account: Account
) -> Export:
    """Have a span of some channels exported; all of it or nothing. Audited before it is sent.

    Problem 404 where nothing is recorded, 409 where there is no room, 422, and 502 or 504 of a node.
    """
    account.need(PERMISSION)
    _check(channels, start, end, form)
    wanted = [_channel(session, one) for one in channels]
    row = models.Export(
        id=secrets.token_hex(8), ordered_by=account.name, ordered_at=clock.now(), format=form,
        start_at=_moment(start), end_at=_moment(end),
        channels=[{"channel": one.channel, "name": one.name, "node": one.node} for one in wanted],
    )  # fmt: skip
    _keep(session, row, account)
    session.expunge(row)
    known = [nodes.get(session, name) for name in export_parts.of(row.channels)]
    session.rollback()
    try:
        parts = [_send(node, row) for node in known]
    except Problem as problem:
        # One that is away lets results go by itself in some days.
        with contextlib.suppress(Problem):
            _tell(known, "DELETE", f"/exports/{row.id}")
        _forget(session, row.id, account, "export.order", problem)
        raise
    return _export(row, parts)


def cancel(session: Session, id: str, account: Account) -> Export:
    """Stop what of an export is not done yet; audited."""
    account.need(PERMISSION)
    row = ordered(session, id)
    audit.write(session, "export.cancel", id, actor=account.name, source=account.source)
    _tell(_nodes(session, row), "POST", f"/exports/{id}/cancel", {})
    return _told(session, [row])[0]


def remove(session: Session, id: str, account: Account) -> None:
    """Delete an export and its results, whatever it is doing; audited. Problem 502 while a node is away."""
    account.need(PERMISSION)
    row = ordered(session, id)
    _tell(_nodes(session, row), "DELETE", f"/exports/{id}")
    _forget(session, id, account, "export.remove")


def _check(channels: Sequence[str], start: int, end: int, form: str) -> None:
    why = ""
    if not 1 <= len(channels) <= MOST_CHANNELS or len(set(channels)) != len(channels):
        why = f"An export needs 1 to {MOST_CHANNELS} channels, each once."
    elif not 0 <= start < end <= min(start + LONGEST_MS, clock.LATEST_MS):
        why = "The start must lie before the end, by at most 24 hours."
    elif form not in FORMATS:
        why = f"The format {form!r} is none of {', '.join(FORMATS)}."
    if why:
        raise Problem("export-wrong", "Nothing was exported.", why, "Correct it and try again.", status=422)


def _channel(session: Session, id: str) -> ExportChannel:
    row, node = live.place(session, id)
    return ExportChannel(id, row.name, node.name)


def _send(node: nodes.Node, row: models.Export) -> ExportPart:
    mine = [one for one in row.channels if one["node"] == node.name]
    asked = {
        "id": row.id, "channels": [{"channel": one["channel"], "name": one["name"]} for one in mine],
        "start": _ms(row.start_at), "end": _ms(row.end_at), "format": row.format, "by": row.ordered_by,
        "platform": config.load_node().site,
        # Names that are unique among all nodes let the parts become one archive.
        "folder": node.name if len(export_parts.of(row.channels)) > 1 else "",
    }  # fmt: skip
    try:
        said = peers.call(peers.of(node), "POST", "/exports", asked, "ss")
    except Problem as problem:
        why = f"{node.name}: {problem.why}"
        raise Problem(problem.code, problem.what, why, problem.remedy, problem.status) from problem
    return peers.parsed(node.name, lambda: export_parts.read(node.name, said))


def _tell(known: list[nodes.Node], method: str, path: str, data: object = None) -> None:
    """Tell all nodes at once, and then raise the Problem of one that cannot be told."""
    told = everywhere.at_once(known, lambda node: export_parts.tell(node, method, path, data))
    for problem in filter(None, told):
        raise problem


@unit_of_work
def _keep(session: Session, row: models.Export, account: Account) -> None:
    # Before it is sent: a power cut must not hide what a node was told to do.
    session.add(row)
    old = delete(models.Export).where(models.Export.ordered_at < clock.now() - FORGET)
    session.execute(old)
    names = ", ".join(one["name"] for one in row.channels)
    audit.write(session, "export.order", row.id, actor=account.name, source=account.source,
                details={"channels": names, "start": clock.iso(row.start_at), "end": clock.iso(row.end_at),
                         "format": row.format})  # fmt: skip


@unit_of_work
def _forget(session: Session, id: str, account: Account, action: str, problem: Problem | None = None) -> None:
    session.execute(delete(models.Export).where(models.Export.id == id))
    audit.write(session, action, id, actor=account.name, source=account.source,
                outcome="refused" if problem else "done",
                details={"code": problem.code} if problem else {})  # fmt: skip


def _told(session: Session, rows: list[models.Export]) -> list[Export]:
    """Rows with what the nodes concerned say, asked at once."""
    wanted = {name for row in rows for name in export_parts.of(row.channels)}
    if not wanted:
        return []
    answers = everywhere.ask(session, "/exports", export_parts.all_of, "ss", only=wanted)
    said = {one.node.name: one for one in answers}
    return [_export(row, export_parts.parts(row.id, row.channels, said)) for row in rows]


def _export(row: models.Export, parts: list[ExportPart]) -> Export:
    channels = [ExportChannel(one["channel"], one["name"], one["node"]) for one in row.channels]
    state = export_parts.together([one.state for one in parts])
    return Export(row.id, row.ordered_by, row.ordered_at, row.format, _ms(row.start_at), _ms(row.end_at),
                  state, channels, parts)  # fmt: skip


def _nodes(session: Session, row: models.Export) -> list[nodes.Node]:
    known = {one.name: one for one in nodes.listing(session)}
    session.rollback()
    return [known[name] for name in export_parts.of(row.channels) if name in known]


def ordered(session: Session, id: str) -> models.Export:
    """What was ordered; Problem 404 if nothing of that id was."""
    row = session.get(models.Export, id[:16])
    if row is None or row.id != id:
        raise unknown()
    session.expunge(row)
    return row


def unknown() -> Problem:
    """There is no such export."""
    return Problem("export-unknown", "There is no such export.", "It was deleted, or the id is wrong.",
                   "Look at the list of exports.", status=404)  # fmt: skip


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


def _ms(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
