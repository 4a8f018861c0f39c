"""Recordings of a camera by RTSP: whole GOPs in the form of our files, no faster than allowed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from time import monotonic
from typing import Any

from services.mts import depay
from services.mts.chunk import Chunk
from services.mts.intake import Intake
from services.mts.mux import Muxer
from services.runtime.rtsp import GARBLED, Client, RtspError, Track
from services.runtime.rtsp_message import Message
from services.ss import boxes, samples
from services.ss.entry import SECOND

SILENCE_SECONDS, HANDSHAKE_SECONDS = 6.0, 10.0
MAX_GOP_BYTES, MAX_GOP_FRAMES = 64 * 1024 * 1024, 3000
VIDEO = ("H264", "H265")
_WRAP = 1 << 32


@dataclass(frozen=True)
class Group:
    """A GOP: `media` is when its key picture is by the camera's RTP, in microseconds from the first group.

    `first` and `end` are ticks, `body` fragments whose stamp is still to be written; `print` is of its key
    picture. `whole` is False for the last one, which may have been cut off.
    """

    init: bytes
    mime: str
    timescale: int
    media: int
    first: int
    end: int
    frames: int
    body: bytes
    print: bytes
    whole: bool


class Replay:
    """One span as the camera plays it; read the groups by `async for`. Raises RtspError."""

    def __init__(self, url: str, username: str, password: str, speed: float) -> None:
        self._address = url, username, password
        self._speed = speed
        self._chunks: asyncio.Queue[Chunk] = asyncio.Queue()
        self._transport: asyncio.Transport | None = None
        self._passed = self._last_rtp = 0
        self._began = 0.0

    async def groups(self) -> AsyncIterator[Group]:
        """Until the camera ends, or is silent."""
        client = Client(*self._address, timeout=HANDSHAKE_SECONDS)
        async with client:
            await client.options()
            video = await _video(client)
            await client.play(speed=self._speed)
            feed = _Feed(self._intake(video))
            self._transport, early = client.hand_over(feed)
            feed.data_received(early)
            try:
                async for group in self._gathered(Muxer([video]), feed):
                    yield group
            finally:
                with suppress(RtspError):
                    self._transport.write(client.teardown())
                self._transport.close()

    def _intake(self, video: Track) -> Intake:
        kind = depay.h265_kind if video.media.codec == "H265" else depay.h264_kind
        return Intake(video.channel, kind, self._chunks.put_nowait, _unheard, {})

    async def _gathered(self, mux: Muxer, feed: "_Feed") -> AsyncIterator[Group]:
        held: list[Chunk] = []
        size = 0
        self._began = monotonic()
        while (chunk := await self._next(feed)) is not None:
            if chunk.key:
                if held and (group := self._group(held, True)):
                    # What takes it may wait for a disk; what comes meanwhile would only fill the memory.
                    self._pause()
                    yield group
                    await self._pace(group.media)
                held = []
            if chunk.key or held:
                mux.mux(chunk)
                held.append(chunk)
            size = size + len(chunk.data) if held and not chunk.key else len(chunk.data)
            if len(held) > MAX_GOP_FRAMES or size > MAX_GOP_BYTES:
                raise RtspError(GARBLED, "The camera plays pictures without key pictures among them.")
        if held and (group := self._group(held, False)):
            yield group

    async def _next(self, feed: "_Feed") -> Chunk | None:
        """The next picture; None at the end."""
        if self._chunks.empty():
            getting: asyncio.Future[Chunk] = asyncio.ensure_future(self._chunks.get())
            both: set[asyncio.Future[Any]] = {getting, feed.lost}
            await asyncio.wait(both, timeout=SILENCE_SECONDS, return_when="FIRST_COMPLETED")
            if getting.done():
                return getting.result()
            getting.cancel()
            return None
        return self._chunks.get_nowait()

    def _group(self, held: list[Chunk], whole: bool) -> Group | None:
        """A GOP of its pictures; None while the camera has not said what they are like."""
        first = held[0]
        if first.init is None:
            return None
        shown = [pieces for one in held if (pieces := one.fragment())]
        step = (first.timestamp - (self._last_rtp or first.timestamp) + _WRAP // 2) % _WRAP - _WRAP // 2
        self._last_rtp, self._passed = first.timestamp, self._passed + step
        body = b"".join(chain.from_iterable(shown))
        init = first.init
        media = self._passed * SECOND // init.timescale
        ticks = first.ticks[0], max(one.ticks[1] for one in held)
        return Group(init.segment, init.mime, init.timescale, media, *ticks, len(shown), body,
                     fingerprint(body, init.mime), whole)  # fmt: skip

    async def _pace(self, media: int) -> None:
        """Read no further than `speed` allows; the connection's own windows hold the camera back."""
        early = media / SECOND / self._speed - (monotonic() - self._began)
        if early > 0:
            await asyncio.sleep(min(early, SILENCE_SECONDS))
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def _pause(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()


class _Feed(asyncio.Protocol):
    """Hands what comes to an intake, which then does not pace the connection by itself."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.lost: asyncio.Future[str] = intake.lost

    def data_received(self, data: bytes) -> None:
        self._intake.push(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._intake.connection_lost(exc)


def fingerprint(body: bytes | bytearray, mime: str) -> bytes:
    """The slices of a GOP's key picture, by which the same one is known wherever it was recorded.

    TornError where the picture is not whole.
    """
    hevc = "hvc1" in mime or "hev1" in mime
    _, picture = boxes.sample(memoryview(body), next(boxes.parse(body)))
    return b"".join(unit for unit in samples.units(picture) if _is_slice(unit[0], hevc))


def _is_slice(head: int, hevc: bool) -> bool:
    return (head >> 1) & 63 < 32 if hevc else 1 <= head & 31 <= 5


async def _video(client: Client) -> Track:
    media = (await client.describe()).first("video", VIDEO)
    if media is None:
        raise RtspError(GARBLED, "The camera plays back neither H.264 nor H.265.")
    return await client.setup(media)


def _unheard(_: Message) -> None:
    """Nothing is asked of the camera while it plays."""
