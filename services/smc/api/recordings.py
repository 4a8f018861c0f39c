"""Plans, timelines and playback of recordings."""

from dataclasses import dataclass
from typing import Annotated, Literal

from services.smc import recordings
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number
from services.smc.recordings import PlaybackAnswer, Recording, Timeline

Milliseconds = Annotated[int, Number(0, 4_102_444_800_000)]


@dataclass(frozen=True)
class RecordingPlan:
    """When the channel is recorded."""

    plan: Literal["continuous", "off"]


@dataclass(frozen=True)
class Span:
    """From `start` up to, not including, `end`; milliseconds since 1970."""

    start: Milliseconds
    end: Milliseconds


@operation("POST", "/channels/<id>/recording", body=RecordingPlan, answer=Recording,
           permission="devices.manage", problems=(404, 409))  # fmt: skip
def plan_recording(call: Call, id: str) -> Recording:
    """Plan when a channel is recorded."""
    return recordings.set_plan(call.session, id, call.body.plan, call.account)


@operation("GET", "/channels/<id>/timeline", query=Span, answer=Timeline, permission="recordings.view",
           problems=(404, 409, 502, 504))  # fmt: skip
def recorded(call: Call, id: str) -> Timeline:
    """What of a span is recorded, asked of the channel's node."""
    return recordings.timeline(call.session, id, call.query.start, call.query.end, call.account)


@operation("POST", "/channels/<id>/playback", answer=PlaybackAnswer, permission="recordings.view",
           problems=(404, 409))  # fmt: skip
def open_playback(call: Call, id: str) -> PlaybackAnswer:
    """Get a one-time token to see what is recorded of a channel, or to download a clip of it."""
    return recordings.open(call.session, id, call.account, "api")
