"""Sees each second what stands in the way of every track, and has it kept; recording never waits for that."""

import asyncio
import logging
import sqlite3
import time
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from services.runtime import clock
from services.runtime.health import Health
from services.ss.entry import SECOND
from services.ss.plan import Plan
from services.ss.reasons import CLOCK, RECORDED, RECORDER, UNKNOWN, UNPLANNED, Change, Reasons, Trouble
from services.ss.recorder import Recorder

LOG = logging.getLogger(__name__)

TURN_SECONDS, BEAT_SECONDS = 1.0, 10.0
QUIET_SECONDS = 10.0
"""A recorder that wrote nothing for so long and has no complaint: why is not known."""
BETTER_SECONDS = 30.0
"""For so long the detail of a new state may be replaced: DSS_MTS learns more, later again and again."""
STEP_SECONDS, STILL_SECONDS = 2.0, 15.0
_BROKEN = (sqlite3.Error, OSError)


class State(NamedTuple):
    """How it is with a track, for `quiet` seconds already."""

    trouble: Trouble
    quiet: float = 0.0


@dataclass
class _Known:
    reason: str
    detail: str
    at: int


class Witness:
    """Follows the plan of one node."""

    def __init__(self, reasons: Reasons, plan: Plan, health: Health, newest: int = 0) -> None:
        """`newest`: up to when something was recorded before (microseconds since 1970)."""
        self._reasons, self._plan, self._health = reasons, plan, health
        self._known: dict[str, _Known] = {}
        self._began = self._seen = _wall()
        self._running = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._newest, self._begun = newest, False
        self._beat = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._turn(_wall(), time.clock_gettime(time.CLOCK_BOOTTIME))
                self._health.alarm("reasons", "")
            except _BROKEN as error:
                text = f"Why recordings have gaps cannot be kept: {error}. Recording goes on."
                if "reasons" not in self._health.alarms:
                    LOG.error("%s", text)
                self._health.alarm("reasons", text)
            await asyncio.sleep(TURN_SECONDS)

    async def close(self) -> None:
        """DSS_SS is stopped in order."""
        try:
            await asyncio.to_thread(self._reasons.end, _wall())
        except _BROKEN as error:
            LOG.error("that DSS_SS was stopped is not kept: %s", error)

    async def _turn(self, now: int, running: float) -> None:
        if not self._begun:
            await asyncio.to_thread(self._reasons.begin, self._began, self._newest)
            self._begun = True
        await self._follow_clock(now, running)
        changes = self._changes(now)
        if changes or monotonic() - self._beat > BEAT_SECONDS:
            await asyncio.to_thread(self._reasons.note, changes, now)
            self._beat = monotonic()
            self._learn(changes)

    async def _follow_clock(self, now: int, running: float) -> None:
        """Where the clock was set, or this process stood still, what was known does not go on."""
        passed = running - self._running
        leapt = abs((now - self._seen) / SECOND - passed) > STEP_SECONDS
        if leapt or passed > STILL_SECONDS:
            told = (CLOCK, "") if leapt else (RECORDER, "It stood still.")
            await asyncio.to_thread(self._reasons.again, self._seen, now, *told)
            self._known.clear()
        self._seen, self._running = now, running

    def _changes(self, now: int) -> list[Change]:
        states = found(self._plan, monotonic())
        for track in self._known.keys() - states.keys():
            states[track] = State(Trouble(UNPLANNED))
        changes = (self._change(track, state, now) for track, state in states.items())
        return [one for one in changes if one]

    def _change(self, track: str, state: State, now: int) -> Change | None:
        known, (reason, detail) = self._known.get(track), state.trouble
        if known and known.reason == reason:
            better = detail and detail != known.detail and now - known.at < BETTER_SECONDS * SECOND
            return Change(track, known.at, reason, detail, better=True) if better else None
        at = now
        if known and known.reason in (RECORDED, UNKNOWN):
            # It is noticed some seconds after the last picture; a plan that begins has no such seconds.
            at = max(known.at, now - round(state.quiet * SECOND))
        return Change(track, at, reason, detail)

    def _learn(self, changes: list[Change]) -> None:
        for one in changes:
            self._known[one.track] = _Known(one.reason, one.detail, one.at)
        # Nothing is left to be said of a track that is gone.
        wanted = {key for channel in self._plan.demands for key in self._plan.keys(channel)}
        gone = [key for key in self._known.keys() - wanted if self._known[key].reason == UNPLANNED]
        for key in gone:
            del self._known[key]


def found(plan: Plan, tick: float) -> dict[str, State]:
    """The state of every track that main has assigned, at `tick` (monotonic)."""
    now = clock.now()
    return {
        key: _state(plan.recorders.get(key), demand.kind(now, tick), tick)
        for channel, demand in plan.demands.items()
        for key in plan.keys(channel)
    }


def _state(one: Recorder | None, kind: str | None, tick: float) -> State:
    if one is None or kind is None:
        return State(Trouble(UNPLANNED))
    quiet = max(0.0, tick - one.wrote_at)
    if one.problem:
        return State(one.trouble, quiet)
    return State(Trouble(RECORDED if quiet <= QUIET_SECONDS else UNKNOWN), quiet)


def _wall() -> int:
    return round(clock.now().timestamp() * SECOND)
