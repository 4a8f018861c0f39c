"""Chunks of a camera as the packets that aiortc sends: nothing is decoded."""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from services.media.interleaved import packets
from services.media.pictures import annex_b
from services.mts import depay
from services.mts.chunk import RTP, payload, payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WAITING = 300
MAX_BYTES = 6 * 1024 * 1024
_HURRY = 90
"""Ticks between two pictures that are only there to be decoded: a millisecond."""
_WRAP = 1 << 32
_MAX_SOUND = 1200


class Track(MediaStreamTrack):
    """What one sender takes from: bounded, in order."""

    def __init__(self, kind: str, rate: int) -> None:
        super().__init__()
        self.kind = kind
        self._base = Fraction(1, rate)
        self._frames: deque[av.Packet[Any]] = deque()
        self._size = 0
        self._came = asyncio.Event()

    def put(self, data: bytes, ticks: int) -> bool:
        """One frame with its time; False where the sender is so far behind that nothing more is kept."""
        if len(self._frames) >= MAX_WAITING or self._size + len(data) > MAX_BYTES:
            return False
        packet = av.Packet(data)
        packet.pts, packet.time_base = ticks, self._base
        self._frames.append(packet)
        self._size += len(data)
        self._came.set()
        return True

    def empty(self) -> None:
        """Throw away what waits."""
        self._frames.clear()
        self._size = 0

    async def recv(self) -> av.Packet[Any]:
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._came.clear()
            await self._came.wait()
        packet = self._frames.popleft()
        self._size -= packet.size
        return packet

    def stop(self) -> None:
        super().stop()
        self._came.set()


class Clock:
    """RTP times of a camera as one that never wraps; what is from earlier follows each other at once."""

    def __init__(self) -> None:
        self._last: int | None = None
        self.now = 0

    def at(self, timestamp: int, hurry: bool = False) -> int:
        """Where a frame of that RTP time belongs."""
        if self._last is not None:
            step = (timestamp - self._last + _WRAP // 2) % _WRAP - _WRAP // 2
            self.now += _HURRY if hurry else step
        self._last = timestamp
        return self.now


class Feed:
    """Takes the chunks of one session's stream apart."""

    def __init__(self, tracks: list[dict[str, Any]], video: Track, sound: Track | None) -> None:
        """`tracks` as in `wire.OPEN`; `sound` None where it is not sent."""
        picture = next(one for one in tracks if one["kind"] == "video")
        heard = next((one for one in tracks if one["kind"] == "audio"), None)
        self._picture: int = picture["channel"]
        self._sets = [bytes.fromhex(text) for text in picture["sets"]]
        self._heard: int | None = heard["channel"] if heard and sound else None
        self._video, self._sound = video, sound
        self._clock, self._sound_clock = Clock(), Clock()
        self._waits_for_key = True

    def take(self, data: bytes, earlier: bool) -> None:
        """One chunk; sound from earlier is past."""
        if not earlier:
            self._listen(data)
        units = [b"".join(one) for one in depay.h264_nals(data, payloads(data, self._picture))]
        timestamp = next(self._timestamps(data), None)
        if not units or timestamp is None:
            return
        ticks, kinds = self._clock.at(timestamp, earlier), {one[0] & 31 for one in units}
        if 5 in kinds and not kinds.issuperset(depay.H264_PARAMETERS):
            units = [*self._sets, *units]
        self._show(annex_b(units), ticks, 5 in kinds)

    def _show(self, picture: bytes, ticks: int, key: bool) -> None:
        if self._waits_for_key and not key:
            return
        self._waits_for_key = not self._video.put(picture, ticks)
        if self._waits_for_key and key:
            self._video.empty()
            self._waits_for_key = not self._video.put(picture, ticks)

    def _timestamps(self, data: bytes) -> Iterator[int]:
        """RTP times of the picture, the last packet's first: what stands before it may be of another."""
        found = [bytes(packet[:12]) for channel, packet in packets(data)
                 if channel == self._picture and len(packet) > 12]  # fmt: skip
        return (RTP.unpack(head)[3] for head in reversed(found))

    def _listen(self, data: bytes) -> None:
        if self._sound is None:
            return
        for channel, packet in packets(data):
            if channel == self._heard and len(packet) > 12:
                ticks = self._sound_clock.at(RTP.unpack_from(packet)[3])
                if len(body := payload(packet)) <= _MAX_SOUND and not self._sound.put(body, ticks):
                    self._sound.empty()
