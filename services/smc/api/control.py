"""Talking to cameras, and moving them."""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from services.smc import ptz, talk
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number
from services.smc.ptz import PtzAnswer, PtzState
from services.smc.talk import TalkAnswer

PROBLEMS = (404, 409, 502, 503, 504)


@dataclass(frozen=True)
class PtzOrder:
    """`move` takes `code` and `speed`, `go` and `save` take `preset`, `stop` takes nothing.

    A move is ordered again each second; without that it ends after 2.5 seconds, and always after 10.
    """

    do: Literal["move", "stop", "go", "save"]
    code: ptz.Code | None = None
    speed: Annotated[int, Number(1, 8)] = 4
    preset: Annotated[int, Number(1, 255)] = 1


@operation("POST", "/channels/<id>/talk", answer=TalkAnswer, permission=talk.PERMISSION, problems=PROBLEMS)
def open_talk(call: Call, id: str) -> TalkAnswer:
    """Get a one-time token to talk to a camera, and where to go with it."""
    return talk.open(call.session, id, call.account, "api")


@operation("GET", "/channels/<id>/ptz", answer=PtzState, permission=ptz.PERMISSION, problems=PROBLEMS)
def ptz_state(call: Call, id: str) -> PtzState:
    """Where a camera looks, and its presets, asked of its node."""
    return ptz.state(call.session, id, call.account)


@operation("POST", "/channels/<id>/ptz", body=PtzOrder, answer=PtzAnswer,
           permission=ptz.PERMISSION, problems=PROBLEMS)  # fmt: skip
def ptz_order(call: Call, id: str) -> PtzAnswer:
    """Move a camera, end that, or use its presets."""
    return ptz.order(call.session, id, asdict(call.body), call.account)
