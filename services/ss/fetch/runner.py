"""Fetches what is owed: few devices at a time, each slowly, again after failures, and says how it stands."""

import asyncio
import logging
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from services.media import plans
from services.runtime import clock
from services.runtime.health import Health
from services.runtime.rtsp import REFUSED, RtspError
from services.ss import blend, timeline
from services.ss.boxes import TornError
from services.ss.entry import MILLI, SECOND
from services.ss.fetch import device, splice
from services.ss.fetch.device import NoStorageError, Place, RefusedError, SilentError
from services.ss.fetch.owed import GAVE_UP, WANTED, Job, Owed
from services.ss.fetch.replay import Replay
from services.ss.fetch.splice import Hole, NumbersError, Splice
from services.ss.plan import Plan
from services.ss.store import Store

LOG = logging.getLogger(__name__)

TURN_SECONDS = 1.0
BORDER = 5 * SECOND
"""About two GOPs: so much may stay missing where the camera's recording is not the stream that we have."""
OVERLAP, CHUNK = 6 * SECOND, 600 * SECOND
"""What is asked for around a gap, so that its borders are found; the longest span of one replay."""
SPEED, AT_ONCE, MOST_TRIES = 2.0, 2, 60
RETRY_FIRST, RETRY_LAST, REFUSED_SECONDS = 10.0, 900.0, 600.0
ALARM_SECONDS, MOST_TOLD, LOOK = 86_400, 20, 50
WAITING, FETCHING, STAYS = "waiting", "fetching", "stays"
NOTHING = "The camera has no recording of it."
_LATER = (SilentError, RtspError, TornError, OSError, TimeoutError, sqlite3.Error)


@dataclass(frozen=True)
class Limits:
    """`speed`: seconds of footage in a second; `at_once` devices of the node; `retry` seconds at first."""

    speed: float = SPEED
    at_once: int = AT_ONCE
    retry: float = RETRY_FIRST


def limits(settings: dict[str, Any]) -> Limits:
    """From the service's settings."""
    return Limits(float(settings.get("fetch_speed") or SPEED), int(settings.get("fetch_devices") or AT_ONCE),
                  float(settings.get("fetch_retry_seconds") or RETRY_FIRST))  # fmt: skip


_Key = tuple[str, int, int]


@dataclass(frozen=True)
class Owing:
    """A gap that is `waiting`, `fetching` or `stays`; before `reached` (microseconds) nothing more comes."""

    job: Job
    state: str
    reached: int


class Fetcher:
    """Follows the plan and the index of one node."""

    def __init__(self, store: Store, plan: Plan, owed: Owed, health: Health, given: Limits) -> None:
        self._store, self._plan, self._owed, self._health = store, plan, owed, health
        self._limits = given
        self._places: dict[str, Place] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reached: dict[_Key, int] = {}

    def take(self, rows: list[dict[str, Any]]) -> None:
        """The channels of this node have changed."""
        found = {str(row["id"]): Place.of(row) for row in rows}
        self._places = {channel: place for channel, place in found.items() if place}
        now = round(clock.now().timestamp() * SECOND)
        for channel in self._owed.channels.keys() - found.keys():
            # Another node has it: what that one records is no gap here, should the channel come back.
            self._owed.asked(channel, None, now)

    async def run(self) -> None:
        """Until cancelled; begins once the files of the last run have been read."""
        await self._store.checked.wait()
        try:
            while True:
                await self._turn()
                await asyncio.sleep(TURN_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _turn(self) -> None:
        now = clock.now()
        for channel, demand in self._plan.demands.items():
            # Only main streams are fetched, so that one that is not wanted is not owed.
            wanted = channel in self._plan.keys(channel)
            kind = demand.kind(now, monotonic()) if wanted else None
            self._owed.asked(channel, kind, round(now.timestamp() * SECOND))
            if channel in self._places and demand.plan.fetch and wanted:
                await self._look(channel, demand.plan)
        self._owed.forget(now.timestamp())
        self._begin(now.timestamp())
        self._tell(now.timestamp())
        if self._owed.changed:
            try:
                await asyncio.to_thread(self._owed.keep)
                self._health.set("fetch", True)
            except OSError as error:
                self._health.set("fetch", False, f"What is to be fetched cannot be kept: {error}.")

    async def _look(self, channel: str, plan: plans.Plan) -> None:
        """Note the gaps that were closed by a finished file since the last look."""
        known = self._owed.channels[channel]
        seq, gaps = await asyncio.to_thread(self._gaps, channel, known.seq)
        if seq == known.seq:
            return
        # Here, where jobs change too: what is owed is no business of two threads at once.
        for one in gaps:
            self._owed.gap(channel, *one, plan)
        known.seq = seq
        self._owed.changed = True

    def _gaps(self, channel: str, known: int) -> tuple[int, list[tuple[int, int, int]]]:
        """Up to which file it was looked, and each gap behind file `known`: the file after it, start, end."""
        last = self._store.index.last(channel)
        if last is None or known < 0 or last.seq <= known:
            return last.seq if last else known, []
        files = self._store.index.gaps(channel, known, LOOK)
        found = []
        for entry in files:
            before = self._store.index.preceding(channel, entry.seq)
            if before and entry.start > before.end:
                found.append((entry.seq, before.end, entry.start))
        # The others come with the next look.
        return files[-1].seq if len(files) == LOOK else last.seq, found

    def _begin(self, now: float) -> None:
        """Start the oldest job of devices that have none; those of one device wait for each other."""
        self._tasks = {key: task for key, task in self._tasks.items() if not task.done()}
        for job in sorted((one for one in self._owed.jobs if one.state == WANTED), key=lambda one: one.start):
            place, demand = self._places.get(job.channel), self._plan.demands.get(job.channel)
            if not place or not demand or not demand.plan.fetch or len(self._tasks) >= self._limits.at_once:
                continue
            key = f"{place.host}:{place.port}"
            waits = self._is_behind(job) or now < job.next_at
            if key not in self._tasks and not waits:
                self._tasks[key] = asyncio.create_task(self._try(job, place), name=f"fetch {job.channel}")

    def _is_behind(self, job: Job) -> bool:
        """Numbers rise with time, so the earlier part of one gap comes first."""
        same = (one for one in self._owed.jobs if (one.channel, one.seq) == (job.channel, job.seq))
        return any(one.start < job.start and one.state == WANTED for one in same)

    async def _try(self, job: Job, place: Place) -> None:
        self._reached[_key(job)] = job.reached
        try:
            await self._fetch(job, place)
        except (NoStorageError, NumbersError) as reason:
            self._give_up(self._now(job), str(reason))
        except (RefusedError, *_LATER) as reason:
            self._put_off(self._now(job), reason)
        except Exception as reason:
            LOG.exception("fetching for channel %s failed", job.channel)
            self._put_off(self._now(job), reason)
        finally:
            del self._reached[_key(job)]

    async def _fetch(self, job: Job, place: Place) -> None:
        async with device.opened(place) as asked:
            offset = await asked.offset()
            while hole := await asyncio.to_thread(self._hole, job):
                spans = await asked.recorded(hole.start - OVERLAP, hole.end + OVERLAP, offset)
                rest = [one for one in spans if one[1] > max(hole.start, job.reached) and one[0] < hole.end]
                if not rest:
                    self._give_up(job, NOTHING)
                    return
                reached = await self._replay(job, hole, place, rest[0], offset)
                if reached >= hole.end:
                    break
                # A piece that gave nothing is not asked for again.
                job = self._owed.change(job, reached=max(reached, job.reached + SECOND), tries=0, why="")
        self._close(job, await asyncio.to_thread(self._missing, job))

    def _close(self, job: Job, missing: timeline.Spans) -> None:
        """Nothing more is to be had: what is still missing, beyond a GOP at each border, is told."""
        if all(end - start <= BORDER for start, end in missing):
            self._owed.done(job)
        else:
            self._give_up(job, NOTHING)

    def _missing(self, job: Job) -> timeline.Spans:
        """What of a gap nobody has; nothing where what was around it is deleted already."""
        index = self._store.index
        oldest, after = index.next_start(job.channel, -1), index.following(job.channel, job.seq - 1)
        if oldest is None or oldest.start > job.start or after is None or after.seq != job.seq:
            return []
        found = blend.of(self._store.library, job.channel, job.start, job.end)
        return timeline.missing(found, job.start, job.end)

    def _hole(self, job: Job) -> Hole | None:
        after = self._store.index.following(job.channel, job.seq - 1)
        if after is None or after.seq != job.seq:
            return None
        return splice.left(self._store, after, job.start, job.end, job.kind)

    async def _replay(self, job: Job, hole: Hole, place: Place, span: tuple[int, int], offset: int) -> int:
        """Fetch a piece; up to which moment that closed the gap, or was in vain."""
        start = max(hole.start - OVERLAP, span[0])
        start = min(start, hole.before.gops[-1].at - SECOND) if span[0] <= hole.start else start
        end = min(hole.end + OVERLAP, span[1], start + CHUNK)
        disk = self._store.disks.choose()
        if disk is None or disk.free() <= 0:
            raise splice.FullError("no storage folder has room that recording could spare")
        made = await disk.run(Splice, self._store, hole, disk, max(start, span[0]) // SECOND * SECOND)
        replay = Replay(
            place.playback(start, end, offset), place.username, place.password, self._limits.speed
        )
        try:
            async for group in replay.groups():
                await disk.run(made.take, group)
                self._reached[_key(job)] = max(job.reached, made.reached)
                if made.complete:
                    break
        finally:
            await asyncio.shield(disk.run(made.finish))
        LOG.info("%d bytes of channel %s were fetched", made.written, hole.after.channel)
        # Where the camera ended early it has nothing more of this piece.
        return hole.end if made.complete else max(made.reached, min(end, hole.end))

    def _now(self, job: Job) -> Job:
        """The job as it has become."""
        return next((one for one in self._owed.jobs if _key(one) == _key(job)), job)

    def _give_up(self, job: Job, why: str) -> None:
        LOG.warning("a gap of channel %s stays: %s", job.channel, why)
        self._owed.change(job, state=GAVE_UP, why=why)

    def _put_off(self, job: Job, reason: Exception) -> None:
        refused = isinstance(reason, RefusedError) or getattr(reason, "code", "") == REFUSED
        if job.tries + 1 >= MOST_TRIES:
            self._give_up(job, f"It was tried {MOST_TRIES} times: {reason}")
            return
        wait = REFUSED_SECONDS if refused else min(self._limits.retry * 2 ** min(job.tries, 10), RETRY_LAST)
        LOG.info("a gap of channel %s is tried again in %.0f s: %s", job.channel, wait, reason)
        self._owed.change(job, tries=job.tries + 1, why=str(reason), next_at=clock.now().timestamp() + wait)

    def _tell(self, now: float) -> None:
        gone = [one for one in self._owed.jobs
                if one.state == GAVE_UP and one.end / SECOND > now - ALARM_SECONDS]  # fmt: skip
        texts = [f"A gap of {self._plan.names.get(one.channel, one.channel)} from "
                 f"{clock.iso(_moment(one.start))} stays: {one.why}" for one in gone[:3]]  # fmt: skip
        more = f" And {len(gone) - 3} more." if len(gone) > 3 else ""
        self._health.alarm("fetch", " ".join(texts) + more)

    def owing(self, channel: str) -> list[Owing]:
        """The gaps of a channel of which something is known; safe in any thread."""
        demand = self._plan.demands.get(channel)
        fetches = channel in self._places and demand is not None and demand.plan.fetch
        found = []
        for job in [one for one in list(self._owed.jobs) if one.channel == channel]:
            reached = self._reached.get(_key(job))
            if job.state == GAVE_UP:
                found.append(Owing(job, STAYS, job.end))
            elif fetches:
                found.append(Owing(job, WAITING if reached is None else FETCHING, reached or job.reached))
        return found

    def state(self, channel: str) -> dict[str, Any]:
        """How it stands with a channel; times are milliseconds since 1970."""
        demand, running = self._plan.demands.get(channel), set(self._tasks)
        place = self._places.get(channel)
        jobs = [one for one in self._owed.jobs if one.channel == channel]
        busy = place is not None and f"{place.host}:{place.port}" in running
        waiting = [one for one in jobs if one.state == WANTED]
        word = "none" if place is None else "off" if not (demand and demand.plan.fetch) else (
            "idle" if not waiting else FETCHING if busy else WAITING)  # fmt: skip
        total = sum(one.end - one.start for one in waiting)
        done = sum(max(0, min(one.reached, one.end) - one.start) for one in waiting)
        return {
            "state": word,
            "seconds": total / SECOND,
            "done": done / total if total else 1.0,
            "why": next((one.why for one in waiting if one.why), ""),
            "gaps": [_told(one) for one in jobs[-MOST_TOLD:]],
        }


def _key(job: Job) -> _Key:
    return job.channel, job.seq, job.start


def _told(one: Job) -> dict[str, Any]:
    return {"start": one.start / MILLI, "end": one.end / MILLI, "state": one.state, "why": one.why}


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)
