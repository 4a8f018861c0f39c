"""Which channels are recorded: as main plans it, events and people ask for; one recorder for each stream."""

import asyncio
import logging
from collections import defaultdict
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

from services.media import plans
from services.runtime import clock, config
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.ss import held, tracks
from services.ss.demand import Demand
from services.ss.entry import CHANNEL
from services.ss.recorder import Recorder, Wish
from services.ss.standing import Order
from services.ss.store import Store

LOG = logging.getLogger(__name__)

ALARM_SECONDS = 15.0
TURN_SECONDS = 1.0


class Plan:
    """Starts and ends recorders, by the key of their track; says in health which of them writes nothing."""

    def __init__(self, store: Store, health: Health, alarm: float = ALARM_SECONDS) -> None:
        self.recorders: dict[str, Recorder] = {}
        self.demands: dict[str, Demand] = {}
        self.names: dict[str, str] = {}
        self._streams: dict[str, list[str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ending: set[asyncio.Task[None]] = set()
        self._store = store
        self._health = health
        self._alarm = alarm
        self._recalled = store.standing.recall(clock.now().timestamp())
        self._keeping = asyncio.Lock()
        self._changed = False

    def take(self, rows: list[dict[str, Any]]) -> None:
        """The channels of this node have changed; raises KeyError when a row is none."""
        self.names = {str(row["id"]): str(row["name"]) for row in rows}
        self._streams = {str(row["id"]): list(row.get("streams", ())) for row in rows}
        wanted = {id: plans.read(row) for row in rows if _has_place(id := str(row["id"]))}
        for channel in self.demands.keys() - wanted.keys():
            del self.demands[channel]
        for channel, plan in wanted.items():
            if channel not in self.demands:
                self.demands[channel] = self._again(channel)
            self.demands[channel].follow(plan)
        self._changed = True
        self.turn()

    def turn(self) -> None:
        """Have exactly those recorders that are asked for now, each doing what is asked for."""
        now, tick = clock.now(), monotonic()
        asked = [channel for channel, one in self.demands.items() if one.listens(now, tick)]
        self._have({key for channel in asked for key in self.keys(channel)})
        demands = {key: self.demands[tracks.channel_of(key)] for key in self.recorders}
        kinds = {key: one.kind(now, tick) for key, one in demands.items()}
        most = held.share(sum(kind is None for kind in kinds.values()))
        for key, one in self.recorders.items():
            plan = demands[key].plan
            one.wish = Wish(kinds[key], plan.pre, most, plan.sound)

    def keys(self, channel: str) -> list[str]:
        """The tracks that the plan of a channel asks for; the main one where the camera has none of them."""
        has = self._streams.get(channel, ())
        found = [one for one in plans.STREAMS[self.demands[channel].plan.streams] if one in has]
        return [tracks.key(channel, one) for one in found or [plans.MAIN]]

    def _have(self, wanted: set[str]) -> None:
        for key in self.recorders.keys() - wanted:
            LOG.info("%s is no longer recorded", key)
            del self.recorders[key]
            self._end(self._tasks.pop(key))
        for key in sorted(wanted - self.recorders.keys()):
            LOG.info("%s is recorded", key)
            self.recorders[key] = one = Recorder(key, self._store)
            self._tasks[key] = asyncio.create_task(self._run(one), name=f"record {key}")

    async def press(self, channel: str, on: bool) -> dict[str, Any]:
        """Begin or end recording by hand; it holds over restarts. Problem if that cannot be."""
        demand = self._demand(channel)
        if on and demand.plan.mode == plans.OFF:
            raise Problem("recording-off", "This channel cannot be recorded.", "Its plan is off.",
                          "Choose another plan, such as recording by hand only.", status=409)  # fmt: skip
        before, demand.manual = demand.manual, on
        try:
            await self._keep()
        except OSError as error:
            demand.manual = before
            raise Problem("order-not-kept", "Recording was not changed.",
                          f"The order cannot be kept: {error.strerror or error}.",
                          "See to the disk of this node, then try again.", status=503) from error  # fmt: skip
        self.turn()
        return self.state(channel)

    async def happened(self, channel: str, kind: str, seconds: float) -> dict[str, Any]:
        """An event of some kind, which lasts so long; `accepted`: the plan asks for events now."""
        accepted = self._demand(channel).happened(clock.now(), monotonic(), seconds)
        LOG.info("event %r of channel %s%s", kind, channel, "" if accepted else ", which is not planned")
        self.turn()
        # Kept within a second: a storm of events is one write, and a restart in that second loses its rest.
        self._changed = True
        return self.state(channel) | {"accepted": accepted}

    def state(self, channel: str) -> dict[str, Any]:
        """What is planned, asked for and done now; Problem 404 for a channel that this node does not know."""
        demand, tick = self._demand(channel), monotonic()
        ones = [self.recorders[key] for key in self.keys(channel) if key in self.recorders]
        asked = demand.kind(clock.now(), tick)
        return {
            "channel": channel, "mode": demand.plan.mode, "manual": demand.manual, "asked": asked,
            "writes": next((one.writes for one in ones if one.writes), None),
            "problem": " ".join(_problem(one) for one in ones if one.problem),
            "streams": {tracks.stream_of(one.channel): one.writes for one in ones},
            "event_seconds": round(max(0.0, (demand.until or tick) - tick), 1),
        }  # fmt: skip

    def _demand(self, channel: str) -> Demand:
        if found := self.demands.get(channel):
            return found
        raise Problem("channel-not-here", "This channel cannot be recorded yet.",
                      "Its node has not heard of it.", "Try again in some seconds.", status=404)  # fmt: skip

    def _again(self, channel: str) -> Demand:
        """A channel as the last run left it."""
        order = self._recalled.pop(channel, Order(False, 0.0))
        return Demand(manual=order.manual, until=monotonic() + order.seconds if order.seconds else None)

    async def _keep(self) -> None:
        async with self._keeping:
            self._changed, tick = False, monotonic()
            orders = {
                channel: Order(one.manual, max(0.0, (one.until or tick) - tick))
                for channel, one in self.demands.items()
                if one.manual or one.until
            }
            try:
                await asyncio.to_thread(self._store.standing.keep, orders, clock.now().timestamp())
            except OSError:
                # Whoever asked for this write is told; events of others in it are still to be kept.
                self._changed = True
                raise

    async def watch(self) -> None:
        """Follow the time, and keep health current, until cancelled."""
        while True:
            self.turn()
            if self._changed:
                await self._keep_quietly()
            now = monotonic()
            silent = [r for r in self.recorders.values() if now - r.wrote_at > self._alarm]
            reasons = [self._complaint(one, now - one.wrote_at) for one in silent[:3]]
            more = f" And {len(silent) - 3} more." if len(silent) > 3 else ""
            # A camera that is off is no fault of this service: an alarm, not a failure.
            self._health.alarm("recording", " ".join(reasons) + more)
            await asyncio.sleep(TURN_SECONDS)

    async def _keep_quietly(self) -> None:
        try:
            await self._keep()
            self._health.set("orders", True)
        except OSError as error:
            self._health.set("orders", False, f"What is recorded by hand cannot be kept: {error}.")

    async def close(self) -> None:
        """Finish every file."""
        for task in self._tasks.values():
            self._end(task)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Have a recorder finish its file; that takes as long as its disk does."""
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _run(self, one: Recorder) -> None:
        # The recorder of an earlier plan may still be closing its file.
        async with self._turns[one.channel]:
            await asyncio.to_thread(one.resume)
            await one.run(partial(_source, one.channel))

    def _complaint(self, one: Recorder, seconds: float) -> str:
        channel = tracks.channel_of(one.channel)
        name = self.names.get(channel, channel) + (" (sub stream)" if channel != one.channel else "")
        since = clock.now() - timedelta(seconds=seconds)
        done = "has been written" if one.wish.kind else "has come"
        return f"Nothing of {name} {done} since {since:%H:%M:%S} UTC: {one.problem}"


def _has_place(channel: str) -> bool:
    """Whether all its tracks can have a folder that belongs to no other channel."""
    return all(map(CHANNEL.fullmatch, tracks.keys(channel))) and tracks.stream_of(channel) == plans.MAIN


def _problem(one: Recorder) -> str:
    return one.problem if tracks.stream_of(one.channel) == plans.MAIN else f"Sub stream: {one.problem}"


def _source(key: str, sound: bool) -> str:
    """Where DSS_MTS gives a stream now; its port may change while this service runs."""
    port = config.load_service("mts").ports["http"]
    place = f"{tracks.channel_of(key)}/{tracks.stream_of(key)}"
    return f"http://127.0.0.1:{port}/record/{place}{'?audio=1' if sound else ''}"
