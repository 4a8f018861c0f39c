"""All streams of this node: main streams kept warm, others pulled on demand and let go when unwatched."""

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic
from typing import Any

from services.mts import converted
from services.mts.converted import Converted, Places
from services.mts.source import Patience, Refusals, Source
from services.mts.stream import BUSY, Key, Origin, Stream
from services.mts.websocket import NO_PLACE, WAIT
from services.runtime.errors import Problem

LOG = logging.getLogger(__name__)

WARM = "main"
CONVERTED_SECONDS = 10.0
"""So long a converted stream stays without a viewer."""
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

    def __init__(self, patience: Patience, idle: float, places: int = 4) -> None:
        """`idle`: seconds that a stream stays unwatched; `places`: how many are converted at once."""
        self.streams: dict[Key, Stream] = {}
        self._channels: dict[str, Channel] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._refusals = Refusals()
        self._patience = patience
        self._idle = idle
        self._places = Places(places)

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
        if name == converted.NAME and not self._places.most:
            raise Problem("converting-off", "This picture is not converted here.",
                          "This node is set to convert none (`converted_streams`).",
                          "Choose another stream, or use a browser that decodes it.", status=503)  # fmt: skip
        stream = self._start((channel, name))
        stream.wanted_at = monotonic()
        return stream

    async def ready(self, stream: Stream) -> None:
        """Wait until the camera plays; raises Problem (503) with the camera's own reason when it does not."""
        until = monotonic() + 2 * self._patience.handshake
        while stream.state == "connecting" and monotonic() < until:
            await asyncio.sleep(_POLL_SECONDS)
        if stream.state == BUSY:
            raise Problem("converting-busy", NO_PLACE, stream.reason, WAIT, status=503)
        if not stream.tracks:
            what, remedy = "The camera gives no picture now.", "Check the device on the Devices page."
            raise Problem("stream-not-playing", what, stream.reason, remedy, status=503)

    def sweep(self) -> None:
        """Let go of on-demand streams that nobody has watched for a while; say which give no picture."""
        now = monotonic()
        for key, stream in list(self.streams.items()):
            idle = min(self._idle, CONVERTED_SECONDS) if key[1] == converted.NAME else self._idle
            if key[1] != WARM and not stream.viewers and now - stream.wanted_at > idle:
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
        name = self._converts(key[0]) if key[1] == converted.NAME else key[1]
        return channel.origins.get(name) if channel else None

    def _converts(self, channel: str) -> str:
        """Which stream of a channel is converted: the smaller one where there is one."""
        return "sub" if self._origin((channel, "sub")) else WARM

    def _start(self, key: Key) -> Stream:
        origin = self._origin(key)
        if key not in self.streams and origin is not None:
            self.streams[key] = Stream(key, origin)
            source = self._source(self.streams[key])
            self._tasks[key] = asyncio.create_task(source.run(), name="/".join(key))
        return self.streams[key]

    def _source(self, stream: Stream) -> Source:
        channel, name = stream.key
        if name != converted.NAME:
            return Source(stream, self._refusals, self._patience)
        return Converted(
            stream, self._patience, self._places, lambda: self.open(channel, self._converts(channel))
        )

    def _stop(self, key: Key) -> None:
        self._tasks.pop(key).cancel()
        self.streams.pop(key).end()
