"""What stands in an archive beside the recordings: whose they are, their hashes, and what is missing."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.ss.entry import MILLI, SECOND
from services.ss.exports.job import Job, Made
from services.ss.tracks import channel_of, stream_of

NAME = "manifest.json"


@dataclass(frozen=True)
class Gap:
    """Nothing is recorded from `start` up to, not including, `end` (microseconds since 1970)."""

    start: int
    end: int


def gaps(job: Job, channel: str) -> list[Gap]:
    """What of the wanted span the files of a channel do not hold."""
    found, reached, end = [], job.order.start * MILLI, job.order.end * MILLI
    for one in sorted(_of(job, channel), key=lambda made: made.start):
        if one.start > reached:
            found.append(Gap(reached, min(one.start, end)))
        reached = max(reached, one.end)
    if reached < end:
        found.append(Gap(reached, end))
    return found


def missing(job: Job) -> float:
    """Seconds that are wanted and not recorded, of all channels together."""
    found = (gap for one in job.order.channels for gap in gaps(job, one.channel))
    return sum(gap.end - gap.start for gap in found) / SECOND


def text(job: Job, node: str, now: float) -> bytes:
    """The manifest as it stands in the archive."""
    order = job.order
    about = {
        "manifest": 1, "platform": order.platform, "node": node, "export": order.id, "ordered_by": order.by,
        "ordered_at": _iso(job.at), "made_at": _iso(now), "format": order.format,
        "wanted": {"start": _iso(order.start / 1000), "end": _iso(order.end / 1000)},
        "channels": [_channel(job, one.channel, one.name) for one in order.channels],
        "files": [_file(one) for one in job.made],
    }  # fmt: skip
    return (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode()


def _channel(job: Job, channel: str, name: str) -> dict[str, Any]:
    found = gaps(job, channel)
    return {
        "channel": channel, "name": name, "files": len(_of(job, channel)),
        "missing_seconds": round(sum(one.end - one.start for one in found) / SECOND, 3),
        "gaps": [{"start": _iso(one.start / SECOND), "end": _iso(one.end / SECOND)} for one in found],
    }  # fmt: skip


def _file(one: Made) -> dict[str, Any]:
    return {
        "name": one.name, "sha256": one.sha256, "bytes": one.size, "channel": channel_of(one.channel),
        "stream": stream_of(one.channel),
        "start": _iso(one.start / SECOND), "end": _iso(one.end / SECOND), "frames": one.frames,
        "seconds": one.seconds, "begins_after": one.after,
    }  # fmt: skip


def _of(job: Job, channel: str) -> list[Made]:
    return [one for one in job.made if channel_of(one.channel) == channel]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
