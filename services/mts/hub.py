"""All streams of this node: main streams kept warm, others pulled on demand and let go when unwatched."""

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic
from typing import Any

from services.mts.source import Patience, Refusals, Source
from services.mts.stream import Key, Origin, Stream
from services.runtime.errors import Problem

LOG = logging.getLogger(__name__)

WARM = "main"
_POLL_SECONDS = 0.01
_SWEEP_SECONDS = 2.0


@dataclass(frozen=True)
class Channel:
    """One channel as DSS_DMS lists it: where each of its streams comes from, by name (main, sub)."""

    id: str
    origins: dict[str, Origin]


def channel_of(item: dict[str, Any]) -> Channel:
    """Read one row of `GET /channels`; raises KeyError or TypeError when it is not one."""
    user, secret, device = (
        str(item.get("username") or ""),
        str(item.get("password") or ""),
        str(item["device"]),
    )
    origins = {str(n): Origin(device, str(url), user, secret) for n, url in dict(item["source"]).items()}
    return Channel(str(item["id"]), origins)


class Hub:
    """Owns every stream and its source task."""

    def __init__(self, patience: Patience, idle: float) -> None:
        self.streams: dict[Key, Stream] = {}
        self._channels: dict[str, Channel] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._refusals = Refusals()
        self._patience = patience
        self._idle = idle

    def take(self, rows: list[dict[str, Any]]) -> None:
        """As `assign`, from the rows of `GET /channels`; raises KeyError or TypeError when one is none."""
        self.assign([channel_of(row) for row in rows])

    def assign(self, channels: list[Channel]) -> None:
        """Match the list: start what is new, end what is gone or comes from elsewhere now."""
        self._channels = {channel.id: channel for channel in channels}
        for key, stream in list(self.streams.items()):
            if self._origin(key) != stream.origin:
                self._stop(key)
        for channel in channels:
            if WARM in channel.origins:
                self._start((channel.id, WARM))

    def open(self, channel: str, name: str) -> Stream:
        """The stream, pulled from now on; raises Problem (404) when there is none of that name."""
        if self._origin((channel, name)) is None:
            what = "There is no such stream on this node."
            raise Problem("stream-unknown", what, f"Channel {channel!r} has no stream {name!r} here.",
                          "Open the channel again from the portal.", status=404)  # fmt: skip
        stream = self._start((channel, name))
        stream.wanted_at = monotonic()
        return stream

    async def ready(self, stream: Stream) -> None:
        """Wait until the camera plays; raises Problem (503) with the camera's own reason when it does not."""
        until = monotonic() + 2 * self._patience.handshake
        while stream.state == "connecting" and monotonic() < until:
            await asyncio.sleep(_POLL_SECONDS)
        if not stream.tracks:
            what, remedy = "The camera gives no picture now.", "Check the device on the Devices page."
            raise Problem("stream-not-playing", what, stream.reason, remedy, status=503)

    def sweep(self) -> None:
        """Let go of on-demand streams that nobody has watched for a while; say which give no picture."""
        now = monotonic()
        for key, stream in list(self.streams.items()):
            if key[1] != WARM and not stream.viewers and now - stream.wanted_at > self._idle:
                LOG.info("stream %s/%s is let go: nobody watches", *key)
                self._stop(key)
            else:
                stream.tell()

    async def sweep_often(self) -> None:
        """Sweep until cancelled."""
        while True:
            self.sweep()
            await asyncio.sleep(_SWEEP_SECONDS)

    async def close(self) -> None:
        """End every stream and its viewers."""
        tasks = list(self._tasks.values())
        for key in list(self.streams):
            self._stop(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _origin(self, key: Key) -> Origin | None:
        channel = self._channels.get(key[0])
        return channel.origins.get(key[1]) if channel else None

    def _start(self, key: Key) -> Stream:
        origin = self._origin(key)
        if key not in self.streams and origin is not None:
            self.streams[key] = Stream(key, origin)
            source = Source(self.streams[key], self._refusals, self._patience)
            self._tasks[key] = asyncio.create_task(source.run(), name="/".join(key))
        return self.streams[key]

    def _stop(self, key: Key) -> None:
        self._tasks.pop(key).cancel()
        self.streams.pop(key).end()
