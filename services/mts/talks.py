"""Who talks to which camera of this node, within which bounds, and what main hears of it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from services.mts import backchannel
from services.mts.backchannel import Line, NoBackChannelError
from services.mts.hub import Hub
from services.mts.stream import Origin
from services.runtime.config import Node
from services.runtime.errors import Problem
from services.runtime.http import Peers, center_address
from services.runtime.rtsp import RtspError

LOG = logging.getLogger(__name__)

KNOWN_SECONDS = 30.0
MOST_KNOWN = 1000
MOST_REPORTS = 1000
_PAUSE = 5.0


@dataclass(eq=False)
class Talk:
    """Somebody talks to a camera, since a monotonic time."""

    user: str
    channel: str
    since: float
    task: asyncio.Task[Any] | None

    @property
    def seconds(self) -> float:
        return monotonic() - self.since


class Desk:
    """One talk per camera, `talks` on the node; knows for a while which cameras can hear."""

    def __init__(self, hub: Hub, report: Callable[[Talk, str], None], settings: dict[str, Any]) -> None:
        self.longest = float(settings.get("talk_seconds", 600))
        self.silence = float(settings.get("talk_silence_seconds", 5))
        self.talks: dict[str, Talk] = {}
        self._most = int(settings.get("talks", 8))
        self._refused_seconds = float(settings.get("refused_seconds", 600))
        self._hub = hub
        self._report = report
        self._known: dict[str, tuple[Origin, float, str]] = {}

    def begin(self, channel: str, user: str) -> Talk:
        """Take the place at a camera; Problem 409 and who has it, 503 where too many talk."""
        self.need_free(channel)
        if len(self.talks) >= self._most:
            raise Problem("talk-many", "You cannot talk now.", f"{self._most} people talk through this node.",
                          "Try again when one of them has ended.", status=503)  # fmt: skip
        self.talks[channel] = talk = Talk(user, channel, monotonic(), asyncio.current_task())
        LOG.info("%s talks to %s", user, channel)
        return talk

    def need_free(self, channel: str) -> None:
        """Problem 409 and who it is, when somebody talks to the camera."""
        if other := self.talks.get(channel):
            raise Problem("talk-busy", "Somebody else talks to this camera.",
                          f"{other.user} has done so for {other.seconds:.0f} seconds.",
                          "Try again when they have ended.", status=409)  # fmt: skip

    def end(self, talk: Talk, why: str) -> None:
        """Leave the place, and have main told."""
        del self.talks[talk.channel]
        LOG.info("%s talked to %s for %.0f s: %s", talk.user, talk.channel, talk.seconds, why)
        self._report(talk, why)

    async def codec(self, channel: str) -> str:
        """What the camera takes, PCMU or PCMA; Problem (409, 502) where it takes nothing, and why."""
        origin, now = self._hub.camera(channel), monotonic()
        known = self._known.get(channel)
        if known and known[0] == origin and now - known[1] < KNOWN_SECONDS:
            return known[2]
        found: str = await self._tried(origin, backchannel.ask)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[channel] = origin, now, found
        return found

    async def open(self, channel: str) -> Line:
        """A session with the camera; Problem as `codec`."""
        line: Line = await self._tried(self._hub.camera(channel), Line.open)
        return line

    async def close(self) -> None:
        """End all talks."""
        tasks = [one.task for one in self.talks.values() if one.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tried(self, origin: Origin, do: Callable[[Origin], Any]) -> Any:  # noqa: ANN401
        if self._hub.refusals.left(origin) > 0:
            raise away("The camera refused the user name or password a short time ago.")
        try:
            return await do(origin)
        except NoBackChannelError as reason:
            raise Problem(
                "talk-unable", "This camera cannot be talked to.", str(reason),
                "Switch its audio output and its ONVIF service on, or take a camera with a loudspeaker.",
                status=409,
            ) from reason  # fmt: skip
        except RtspError as reason:
            if backchannel.refused(reason):
                self._hub.refusals.add(origin, self._refused_seconds)
            raise away(str(reason)) from reason


class Reports:
    """Tells main of each talk that ended; while main is away they wait, the newest thousand of them."""

    def __init__(self, node: Node, peers: Peers) -> None:
        self._node = node
        self._peers = peers
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_REPORTS)
        self._came = asyncio.Event()

    def add(self, talk: Talk, why: str) -> None:
        """Have main write it down."""
        told = {"user": talk.user, "channel": talk.channel, "seconds": round(talk.seconds, 1), "why": why}
        self._waiting.append(told)
        self._came.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                await self._tell(self._waiting[0])

    async def _tell(self, told: dict[str, Any]) -> None:
        try:
            await self._peers.post(center_address(self._node), "portal", "/talks", told)
        except Problem as problem:
            LOG.warning("main is not told of a talk yet: %s", problem)
            if problem.status not in (404, 422):
                await asyncio.sleep(_PAUSE)
                return
        if self._waiting and self._waiting[0] is told:
            self._waiting.popleft()


def away(why: str) -> Problem:
    """The camera gives no session."""
    return Problem("talk-away", "The camera cannot be talked to now.", why,
                   "Check the device on the Devices page.", status=502)  # fmt: skip
