"""Even sound from uneven messages: packets of 20 ms leave each 20 ms, whenever their sound came."""

import asyncio
from collections.abc import Callable
from time import monotonic

PACKET = 160
"""Samples of 8 kHz G.711, a byte each: 20 ms."""
FIRST_SECONDS = 0.06
MOST = 25 * PACKET
KEPT = 5 * PACKET
_SECONDS = 0.02
_RATE = 8000

Send = Callable[[bytes, int, bool], bool]


class Pace:
    """Waits for 60 ms before it begins and keeps at most half a second; of more, the oldest is dropped.

    After a hole the RTP time goes on as the clock did, so that the camera plays silence and not early sound.
    """

    def __init__(self, send: Send) -> None:
        """`send(sound, RTP time, first after silence)` says whether the camera took it."""
        self.sent = self.dropped = self.refused = 0
        self._send = send
        self._waiting = bytearray()
        self._came = asyncio.Event()
        self._origin = monotonic()
        self._time = 0

    def put(self, sound: bytes) -> None:
        """Take in G.711 of 8 kHz."""
        self._waiting += sound
        if len(self._waiting) > MOST:
            self.dropped += len(self._waiting) - KEPT
            del self._waiting[:-KEPT]
        self._came.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            # What comes next may be late; the end of what was said has nothing behind it.
            await asyncio.sleep(FIRST_SECONDS)
            await self._burst()

    async def _burst(self) -> None:
        due, first = monotonic(), True
        self._time = max(self._time, int((due - self._origin) * _RATE))
        while len(self._waiting) >= PACKET:
            await asyncio.sleep(max(0.0, due - monotonic()))
            sound = bytes(self._waiting[:PACKET])
            del self._waiting[:PACKET]
            self._count(self._send(sound, self._time, first))
            self._time += PACKET
            due, first = due + _SECONDS, False
        # The next packet may only be late by a little: only then is it a hole.
        await asyncio.sleep(max(0.0, due + _SECONDS - monotonic()))

    def _count(self, taken: bool) -> None:
        self.sent += taken
        self.refused = 0 if taken else self.refused + 1
