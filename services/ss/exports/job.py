"""One export on its way: what state it is in, and what of it is finished. Kept as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

from services.ss.exports.archive import Member
from services.ss.exports.order import Order, read

MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "cancelled", "failed"}),
    "running": frozenset({"verifying", "queued", "cancelled", "failed"}),
    "verifying": frozenset({"running", "queued", "done", "cancelled", "failed"}),
    "done": frozenset(), "cancelled": frozenset(), "failed": frozenset(),
}  # fmt: skip
"""Each file is written (running) and read back (verifying); a restart puts a job back into the queue."""
OVER = frozenset(state for state, after in MOVES.items() if not after)


@dataclass(frozen=True)
class Made:
    """A finished file inside the result, written and read back.

    `channel` is the key of its track. `start` and `end`: microseconds since 1970. `last`: number of its last
    file of recording and of the GOP in it. `after`: start, gap, clock, format or length, why it begins.
    `offset`: where its bytes stand.
    """

    name: str
    channel: str
    start: int
    end: int
    frames: int
    seconds: float
    after: str
    last: tuple[int, int]
    offset: int
    size: int
    crc: int
    sha256: str


@dataclass
class Job:
    """`total` is an estimate until it is done; `zip`: the result is an archive; None before that is known.

    `members`: what stands in a finished archive.
    """

    order: Order
    at: float
    state: str = "queued"
    total: int = 0
    made: list[Made] = field(default_factory=list)
    zip: bool | None = None
    name: str = ""
    size: int = 0
    sha256: str = ""
    missing: float = 0.0
    why: str = ""
    ended: float = 0.0
    writing: int = 0
    members: list[Member] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in OVER

    @property
    def end(self) -> int:
        """Where the next file of the result begins."""
        return self.made[-1].offset + self.made[-1].size if self.made else 0

    @property
    def held(self) -> int:
        """Bytes on the disk."""
        return self.size if self.over else self.end + self.writing

    @property
    def claimed(self) -> int:
        """Bytes that it has or will still take."""
        return self.size if self.over else max(self.total, self.held)

    def move(self, state: str) -> None:
        """Go on to another state; ValueError where none leads there."""
        if state not in MOVES[self.state]:
            raise ValueError(f"an export cannot go from {self.state} to {state}")
        self.state = state

    def as_dict(self) -> dict[str, Any]:
        """JSON for the disk, read back by `restored`."""
        return asdict(self)

    def told(self) -> dict[str, Any]:
        """JSON for main: times in seconds since 1970, sizes in bytes."""
        keys = ("state", "at", "total", "name", "size", "sha256", "missing", "why", "ended")
        return {
            "id": self.order.id, "files": len(self.made), "written": min(self.held, self.claimed),
            **{key: getattr(self, key) for key in keys},
        }  # fmt: skip


def restored(data: dict[str, Any]) -> Job:
    """The job of its JSON, back in the queue if it was cut off; ValueError, KeyError, TypeError."""
    made = [Made(**(one | {"last": tuple(one["last"])})) for one in data["made"]]
    members = [Member(**one) for one in data.get("members", [])]
    order = read(data["order"])
    job = Job(**(data | {"order": order, "made": made, "writing": 0, "members": members}))
    if job.state not in MOVES:
        raise ValueError(f"{job.state!r} is no state")
    if not job.over and job.state != "queued":
        job.move("queued")
    return job
