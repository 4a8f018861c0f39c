"""Orders to the node of a channel: recording by hand, events, and locks of what must not be deleted."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from services.smc import live, peers, recordings
from services.smc.accounts import Account
from services.smc.nodes import Node

MANAGE = "devices.manage"


@dataclass(frozen=True)
class RecordingState:
    """`mode` is the plan's; `asked` and `writes`: continuous, event, manual or "": what is to be, what is.

    `manual`: somebody started it by hand; `event_seconds`: so long events go on being recorded.
    `problem`: why nothing comes from the camera. `fetch` is how it stands with what is fetched from the
    camera's own storage: none, off, idle, waiting or fetching; `fetch_seconds` are still to come, of which a
    share of `fetch_done` is here; `fetch_why`: what stands in the way, or why a gap of the last days stays.
    """

    channel: str
    mode: str
    manual: bool
    asked: str
    writes: str
    event_seconds: float
    problem: str
    fetch: str = "none"
    fetch_seconds: float = 0.0
    fetch_done: float = 1.0
    fetch_why: str = ""


@dataclass(frozen=True)
class EventAnswer:
    """Whether the plan asks for events now, and for how many seconds recording goes on."""

    channel: str
    accepted: bool
    event_seconds: float


@dataclass(frozen=True)
class EvidenceLock:
    """Nothing from `start` up to, not including, `end` (milliseconds since 1970) is deleted."""

    id: str
    start: float
    end: float
    note: str
    by: str
    at: str


def state(session: Session, channel: str, account: Account) -> RecordingState:
    """What the channel's node does now."""
    _, node = recordings.place(session, channel, account)
    return _state(node, _ask(node, "GET", "recording", channel))


def press(session: Session, channel: str, do: str, account: Account) -> RecordingState:
    """`start` or `stop` recording by hand; it holds over restarts. Audited."""
    account.need(MANAGE)
    row, node = recordings.place(session, channel, account)
    found = _state(node, _ask(node, "POST", "recording", channel, {"do": do}))
    live.note(session, f"recording.{do}", row, account, {})
    return found


def happened(session: Session, channel: str, kind: str, seconds: int, account: Account) -> EventAnswer:
    """Tell the node of an event that lasts so long."""
    account.need(MANAGE)
    _, node = recordings.place(session, channel, account)
    found = _ask(node, "POST", "events", channel, {"type": kind, "seconds": seconds})
    return peers.parsed(
        node.name, lambda: EventAnswer(channel, bool(found["accepted"]), float(found["event_seconds"]))
    )


def locks(session: Session, channel: str, account: Account) -> list[EvidenceLock]:
    """All locks of a channel on its node, by their beginning."""
    _, node = recordings.place(session, channel, account)
    found = _ask(node, "GET", "locks", channel)
    return peers.parsed(node.name, lambda: [EvidenceLock(**one) for one in found["locks"]])


def lock(session: Session, channel: str, start: int, end: int, note: str, account: Account) -> EvidenceLock:
    """Keep a span from being deleted. Audited."""
    account.need(MANAGE)
    row, node = recordings.place(session, channel, account)
    asked = {"from": start, "to": end, "note": note, "by": account.name}
    found = _ask(node, "POST", "locks", channel, asked)
    made = peers.parsed(node.name, lambda: EvidenceLock(**found))
    told = {"lock": made.id, "from": start, "to": end, "note": note}
    live.note(session, "recording.lock", row, account, told)
    return made


def unlock(session: Session, channel: str, id: str, account: Account) -> None:
    """Let a span be deleted when its time comes. Audited."""
    account.need(MANAGE)
    row, node = recordings.place(session, channel, account)
    found = _ask(node, "DELETE", f"locks/{quote(channel)}", id)
    gone = peers.parsed(node.name, lambda: EvidenceLock(**found))
    told = {"lock": id, "from": gone.start, "to": gone.end, "note": gone.note}
    live.note(session, "recording.unlock", row, account, told)


def _ask(node: Node, method: str, what: str, last: str, data: object = None) -> dict[str, Any]:
    path = f"/{what}/{quote(last, safe='')}"
    return peers.told(node, "ss", method, path, data)


def _state(node: Node, found: dict[str, Any]) -> RecordingState:
    def read() -> RecordingState:
        asked, writes = str(found["asked"] or ""), str(found["writes"] or "")
        return RecordingState(
            str(found["channel"]), str(found["mode"]), bool(found["manual"]), asked, writes,
            float(found["event_seconds"]), str(found["problem"]), *_fetch(found.get("fetch")),
        )  # fmt: skip

    return peers.parsed(node.name, read)


def _fetch(told: dict[str, Any] | None) -> tuple[str, float, float, str]:
    """The four facts of what is fetched; a node of an earlier release fetches nothing."""
    if not told:
        return "none", 0.0, 1.0, ""
    stays = next((one["why"] for one in reversed(told["gaps"]) if one["state"] == "gave up"), "")
    return str(told["state"]), float(told["seconds"]), float(told["done"]), str(told["why"] or stays)
