"""What is wanted: which channels, which span, which form, for whom. Read strictly, kept as JSON."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from services.runtime import clock
from services.runtime.errors import Problem
from services.ss.entry import CHANNEL

ID = re.compile(r"[0-9a-f]{16}")
PLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}|")
"""The name of a node can be one, and needs no care in any file system."""
FORMATS = ("mp4", "fmp4")
MOST_CHANNELS = 16
LONGEST_MS = 24 * 3_600_000
_LONGEST_TEXT = 128


@dataclass(frozen=True)
class Wanted:
    """A channel of an order and what people call it."""

    channel: str
    name: str


@dataclass(frozen=True)
class Order:
    """An export of [start, end), milliseconds since 1970; mp4 is plain, fmp4 fragmented as recorded.

    `folder`: the result is an archive whose files lie in it, so that it can be joined with those of others.
    """

    id: str
    channels: tuple[Wanted, ...]
    start: int
    end: int
    format: str
    by: str
    platform: str
    folder: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON, read back by `read`."""
        return asdict(self)


def read(given: Any) -> Order:  # noqa: ANN401 - JSON
    """The order that JSON says; Problem 422 for anything else."""
    try:
        texts = {key: _text(given[key]) for key in ("id", "format", "by", "platform")}
        channels = tuple(Wanted(_text(one["channel"]), _text(one["name"])) for one in given["channels"])
        made = Order(channels=channels, start=_whole(given["start"]), end=_whole(given["end"]),
                     folder=str(given.get("folder", "")), **texts)  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise wrong(f"A part of it is missing or of another kind: {error}.") from error
    check(made)
    return made


def check(order: Order) -> None:
    """Problem 422 for an order that cannot be carried out whatever is recorded."""
    ids = [one.channel for one in order.channels]
    if not (ID.fullmatch(order.id) and PLACE.fullmatch(order.folder) and all(map(CHANNEL.fullmatch, ids))):
        raise wrong("Its id, its folder, or the id of a channel has a form that cannot be used.")
    if order.format not in FORMATS:
        raise wrong(f"{order.format!r} is none of {', '.join(FORMATS)}.")
    if not 1 <= len(ids) <= MOST_CHANNELS or len(set(ids)) != len(ids):
        raise wrong(f"It needs 1 to {MOST_CHANNELS} channels, each once.")
    if not 0 <= order.start < order.end <= min(order.start + LONGEST_MS, clock.LATEST_MS):
        raise wrong("Its start must lie before its end, by at most 24 hours.")


def wrong(why: str) -> Problem:
    """The order is none."""
    return Problem("export-wrong", "Nothing was exported.", why, "Correct it and try again.", status=422)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError("a text is expected")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError("a whole number is expected")
    return value
