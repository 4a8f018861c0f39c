"""What is still to be fetched: kept durably, so that neither a restart nor a power cut forgets a gap."""

import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from services.media.plans import CONTINUOUS, WEEKLY, Plan
from services.node import files
from services.ss.entry import SECOND
from services.ss.fetch.minutes import within

LOG = logging.getLogger(__name__)

FILE = "fetch.json"
MOST_JOBS, MOST_ASKED = 1000, 32
WANTED, GAVE_UP = "wanted", "gave up"
TOLD_SECONDS = 7 * 86_400
"""How long a gap that stays is remembered with its reason."""


@dataclass(frozen=True)
class Job:
    """One gap: [start, end) in microseconds since 1970, before file number `seq`.

    `reached`: before that moment there is nothing more to be had. `next_at`, seconds since 1970, is when it
    is tried again, after `tries` failures; `why` says what stood in the way, or why it was given up.
    """

    channel: str
    seq: int
    start: int
    end: int
    reached: int = 0
    kind: str = CONTINUOUS
    state: str = WANTED
    tries: int = 0
    next_at: float = 0.0
    why: str = ""


@dataclass
class Channel:
    """When it was to be recorded, (start, end, kind) with end 0 while it is; gaps up to `seq` are known."""

    asked: list[tuple[int, int, str]] = field(default_factory=list)
    seq: int = -1


class Owed:
    """Jobs and spans of all channels; changes are written by `keep`. Blocking, one thread at a time."""

    def __init__(self, state: Path) -> None:
        self.jobs: list[Job] = []
        self.channels: dict[str, Channel] = {}
        self.changed = False
        self._path = state / FILE
        self._recall()

    def asked(self, channel: str, kind: str | None, now: int) -> None:
        """A channel is recorded from now on, or no longer."""
        spans = self.channels.setdefault(channel, Channel()).asked
        last = spans[-1] if spans and not spans[-1][1] else None
        if (last[2] if last else None) == kind:
            return
        if last:
            spans[-1] = last[0], max(now, last[0] + 1), last[2]
        if kind:
            spans.append((now, 0, kind))
        del spans[:-MOST_ASKED]
        self.changed = True

    def gap(self, channel: str, seq: int, start: int, end: int, plan: Plan) -> None:
        """Nothing was recorded from `start` to `end`, before file `seq`: what of it was wanted is owed."""
        known = self.channels.setdefault(channel, Channel())
        for begin, last, kind in known.asked:
            low, high = max(start, begin), min(end, last or end)
            spans = [(low, high)]
            if plan.mode == WEEKLY and kind == CONTINUOUS:
                spans = within(plan, low, high)
            self.jobs += [Job(channel, seq, a, b, a, kind) for a, b in spans if b - a > SECOND // 10]
        known.asked = [one for one in known.asked if not one[1] or one[1] > end]
        self.changed = True
        self._bound()

    def change(self, old: Job, **fields: Any) -> Job:  # noqa: ANN401 - the fields of a Job
        """A job goes on as said; what it has become."""
        new = replace(old, **fields)
        self.jobs = [new if one == old else one for one in self.jobs]
        self.changed = True
        return new

    def done(self, job: Job) -> None:
        """Nothing is left to do of it."""
        self.jobs = [one for one in self.jobs if one != job]
        self.changed = True

    def forget(self, now: float) -> None:
        """What was given up long ago is no news."""
        limit = (now - TOLD_SECONDS) * SECOND
        kept = [one for one in self.jobs if one.state == WANTED or one.end > limit]
        self.changed = self.changed or len(kept) != len(self.jobs)
        self.jobs = kept

    def keep(self) -> None:
        """Make all of it survive a power cut; raises OSError."""
        self.changed = False
        rows = {"jobs": [asdict(one) for one in self.jobs],
                "channels": {name: asdict(one) for name, one in self.channels.items()}}  # fmt: skip
        try:
            files.write_json(self._path, rows, 0o600)
        except OSError:
            self.changed = True
            raise

    def _bound(self) -> None:
        if len(self.jobs) > MOST_JOBS:
            LOG.error("more than %d gaps: the oldest ones are not fetched", MOST_JOBS)
            self.jobs = sorted(self.jobs, key=lambda one: one.start)[-MOST_JOBS:]

    def _recall(self) -> None:
        nothing: dict[str, Any] = {"jobs": [], "channels": {}}
        try:
            rows = files.read_json(self._path, nothing)
            self.jobs = [Job(**row) for row in rows["jobs"]]
            self.channels = {name: _channel(row) for name, row in rows["channels"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            LOG.error("%s cannot be used, so older gaps are not fetched: %s", self._path, error)


def _channel(row: dict[str, Any]) -> Channel:
    return Channel([(int(a), int(b), str(kind)) for a, b, kind in row["asked"]], int(row["seq"]))
