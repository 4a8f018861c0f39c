"""Which channels are recorded: as main plans it, passed on by DSS_DMS; one recorder for each."""

import asyncio
import logging
from collections import defaultdict
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

from services.runtime import clock, config
from services.runtime.health import Health
from services.ss.entry import CHANNEL
from services.ss.recorder import Recorder
from services.ss.store import Store

LOG = logging.getLogger(__name__)

CONTINUOUS = "continuous"
STREAM = "main"
ALARM_SECONDS = 15.0


class Plan:
    """Starts and ends recorders; says in health which of them writes nothing."""

    def __init__(self, store: Store, health: Health, alarm: float = ALARM_SECONDS) -> None:
        self.recorders: dict[str, Recorder] = {}
        self.names: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ending: set[asyncio.Task[None]] = set()
        self._store = store
        self._health = health
        self._alarm = alarm

    def take(self, rows: list[dict[str, Any]]) -> None:
        """The channels of this node have changed; raises KeyError when a row is none."""
        self.names = {str(row["id"]): str(row["name"]) for row in rows}
        planned = {str(row["id"]) for row in rows if row.get("record") == CONTINUOUS}
        wanted = {id for id in planned if CHANNEL.fullmatch(id)}
        for channel in self.recorders.keys() - wanted:
            LOG.info("channel %s is no longer recorded", channel)
            del self.recorders[channel]
            self._end(self._tasks.pop(channel))
        for channel in wanted - self.recorders.keys():
            LOG.info("channel %s is recorded", channel)
            self.recorders[channel] = one = Recorder(channel, self._store)
            self._tasks[channel] = asyncio.create_task(self._run(one), name=f"record {channel}")

    async def watch(self) -> None:
        """Keep health current until cancelled."""
        while True:
            now = monotonic()
            silent = [r for r in self.recorders.values() if now - r.wrote_at > self._alarm]
            reasons = [self._complaint(one, now - one.wrote_at) for one in silent[:3]]
            more = f" And {len(silent) - 3} more." if len(silent) > 3 else ""
            # A camera that is off is no fault of this service: an alarm, not a failure.
            self._health.alarm("recording", " ".join(reasons) + more)
            await asyncio.sleep(1)

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
        name = self.names.get(one.channel, one.channel)
        since = clock.now() - timedelta(seconds=seconds)
        return f"Nothing of {name} has been written since {since:%H:%M:%S} UTC: {one.problem}"


def _source(channel: str) -> str:
    """Where DSS_MTS gives a channel now; its port may change while this service runs."""
    port = config.load_service("mts").ports["http"]
    return f"http://127.0.0.1:{port}/record/{channel}/{STREAM}"
