"""Plans, timelines and playback of recordings."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

from services.media import plans
from services.runtime import clock
from services.smc import evidence, recordings
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Number, Text
from services.smc.evidence import EventAnswer, EvidenceLock, RecordingState
from services.smc.recordings import PlaybackAnswer, Recording, Timeline

Milliseconds = Annotated[int, Number(0, clock.LATEST_MS)]
Mode = Literal["off", "continuous", "event", "manual", "weekly"]
Shown = Literal["any", "main", "sub"]
MANAGE = "devices.manage"


@dataclass(frozen=True)
class RecordingMode:
    """When the channel is recorded; the rest of its plan stays as it is."""

    plan: Mode


@dataclass(frozen=True)
class RecordingOrder:
    """Begin or end recording by hand."""

    do: Literal["start", "stop"]


@dataclass(frozen=True)
class DaySpan:
    """Minutes of a day from `start` up to, not including, `end`; where spans overlap, continuous counts."""

    start: Annotated[int, Number(0, plans.DAY_MINUTES - 1)]
    end: Annotated[int, Number(1, plans.DAY_MINUTES)]
    kind: Literal["continuous", "event"]


Day = Annotated[list[DaySpan], Items(0, plans.MOST_SPANS)]
WeekOfSpans = Annotated[list[Day], Items(plans.DAYS, plans.DAYS)]


def _no_week() -> list[list[DaySpan]]:
    return [[] for _ in range(plans.DAYS)]


@dataclass(frozen=True)
class RecordingPlan:
    """A whole plan: `week`, Monday first, is for mode weekly; `pre` and `post`: seconds around an event.

    `sound`: what is heard is recorded too. `fetch`: what is missing is fetched from the camera's own storage,
    where it has one. `streams`: sub is the small one alone, both takes the disk of both; 409 where the
    camera has no sub stream.
    """

    mode: Mode
    week: WeekOfSpans = field(default_factory=_no_week)
    pre: Annotated[int, Number(plans.LEAST_PRE, plans.MOST_PRE)] = plans.PRE
    post: Annotated[int, Number(plans.LEAST_POST, plans.MOST_POST)] = plans.POST
    sound: bool = False
    fetch: bool = True
    streams: Literal["main", "sub", "both"] = "main"


@dataclass(frozen=True)
class PlanAnswer:
    """The plan of a channel; `zone` is the IANA name of the time zone of its week."""

    mode: str
    week: list[list[DaySpan]]
    pre: int
    post: int
    zone: str
    sound: bool
    fetch: bool
    streams: str


@dataclass(frozen=True)
class Span:
    """From `start` up to, not including, `end`; milliseconds since 1970."""

    start: Milliseconds
    end: Milliseconds


@dataclass(frozen=True)
class StreamSpan(Span):
    """The same, of one stream; any: all that can be shown, of the sub stream what the main one lacks."""

    stream: Shown = "any"


@dataclass(frozen=True)
class RecordingSearch(StreamSpan):
    """The same, of one kind, locked or not."""

    kind: Literal["any", "continuous", "event", "manual"] = "any"
    locked: Literal["any", "true", "false"] = "any"


@dataclass(frozen=True)
class ChannelEvent:
    """Something happened now, and lasts `seconds` from now on."""

    type: Annotated[str, Text(1, 64)]
    seconds: Annotated[int, Number(0, 600)] = 0


@dataclass(frozen=True)
class NewLock(Span):
    """A span that nothing deletes, by at most 32 days."""

    note: Annotated[str, Text(0, 200)] = ""


@operation("POST", "/channels/<id>/recording", body=RecordingMode | RecordingOrder,
           answer=Recording | RecordingState, permission=MANAGE,
           problems=(404, 409, 502, 503, 504))  # fmt: skip
def plan_recording(call: Call, id: str) -> Recording | RecordingState:
    """Plan when a channel is recorded, or begin and end recording it by hand."""
    if isinstance(call.body, RecordingOrder):
        return evidence.press(call.session, id, call.body.do, call.account)
    return recordings.set_plan(call.session, id, call.body.plan, call.account)


@operation("GET", "/channels/<id>/recording", answer=RecordingState, permission="recordings.view",
           problems=(404, 409, 502, 503, 504))  # fmt: skip
def recording_now(call: Call, id: str) -> RecordingState:
    """What of a channel is being recorded now, and why, asked of its node."""
    return evidence.state(call.session, id, call.account)


@operation("GET", "/channels/<id>/plan", answer=PlanAnswer, permission="recordings.view", problems=(404,))
def channel_plan(call: Call, id: str) -> PlanAnswer:
    """When a channel is recorded."""
    return _answer(recordings.plan(call.session, id, call.account))


@operation("POST", "/channels/<id>/plan", body=RecordingPlan, answer=PlanAnswer, permission=MANAGE,
           problems=(404, 409))  # fmt: skip
def change_channel_plan(call: Call, id: str) -> PlanAnswer:
    """Plan when a channel is recorded, by the week too."""
    return _answer(recordings.change_plan(call.session, id, asdict(call.body), call.account))


@operation("POST", "/channels/<id>/events", body=ChannelEvent, answer=EventAnswer, permission=MANAGE,
           problems=(404, 409, 502, 503, 504))  # fmt: skip
def channel_event(call: Call, id: str) -> EventAnswer:
    """Tell that something happened, so that it is recorded where the plan asks for events."""
    return evidence.happened(call.session, id, call.body.type, call.body.seconds, call.account)


@operation("GET", "/channels/<id>/locks", answer=list[EvidenceLock], permission="recordings.view",
           problems=(404, 409, 502, 503, 504))  # fmt: skip
def channel_locks(call: Call, id: str) -> list[EvidenceLock]:
    """Which spans of a channel are kept from being deleted."""
    return evidence.locks(call.session, id, call.account)


@operation("POST", "/channels/<id>/locks", body=NewLock, answer=EvidenceLock, permission=MANAGE,
           problems=(404, 409, 502, 503, 504))  # fmt: skip
def lock_recording(call: Call, id: str) -> EvidenceLock:
    """Keep a span of a channel from being deleted."""
    one = call.body
    return evidence.lock(call.session, id, one.start, one.end, one.note, call.account)


@operation("DELETE", "/channels/<id>/locks/<lock>", status=204, permission=MANAGE,
           problems=(404, 409, 502, 503, 504))  # fmt: skip
def unlock_recording(call: Call, id: str, lock: str) -> None:
    """Let a locked span be deleted when its time comes."""
    evidence.unlock(call.session, id, lock, call.account)


@operation("GET", "/channels/<id>/recordings", query=RecordingSearch, answer=Timeline,
           permission="recordings.view", problems=(404, 409, 502, 503, 504))  # fmt: skip
def find_recordings(call: Call, id: str) -> Timeline:
    """What of a span is recorded, of one kind, locked or not, asked of the channel's node."""
    one = call.query
    wanted = one.kind, one.locked, one.stream
    return recordings.timeline(call.session, id, one.start, one.end, call.account, *wanted)


@operation("GET", "/channels/<id>/timeline", query=StreamSpan, answer=Timeline, permission="recordings.view",
           problems=(404, 409, 502, 504))  # fmt: skip
def recorded(call: Call, id: str) -> Timeline:
    """What of a span is recorded, asked of the channel's node."""
    one = call.query
    return recordings.timeline(call.session, id, one.start, one.end, call.account, stream=one.stream)


@operation("POST", "/channels/<id>/playback", answer=PlaybackAnswer, permission="recordings.view",
           problems=(404, 409))  # fmt: skip
def open_playback(call: Call, id: str) -> PlaybackAnswer:
    """Get a one-time token to see what is recorded of a channel, or to download a clip of it."""
    return recordings.open(call.session, id, call.account, "api")


def _answer(plan: plans.Plan) -> PlanAnswer:
    return PlanAnswer(**plan.as_dict())
