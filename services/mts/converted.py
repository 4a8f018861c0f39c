"""`live/<channel>/converted`: small H.264 pictures for browsers that cannot decode what the camera sends."""

import asyncio
import contextlib
import logging
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from services.media import worker
from services.media.pictures import annex_b
from services.mts import convert, depay
from services.mts.chunk import Chunk
from services.mts.intake import Intake
from services.mts.source import Patience, Refusals, Source
from services.mts.stream import BUSY, NO_PICTURE, Stream
from services.mts.viewer import RelayViewer
from services.runtime import rtsp
from services.runtime.rtsp import RtspError, Track
from services.runtime.sdp import Media

LOG = logging.getLogger(__name__)

NAME = "converted"
FEWEST_SECONDS = 20.0
"""A worker that lived less long is followed by a longer pause each time."""
_PICTURE = Media(
    "video", convert.PAYLOAD_TYPE, "H264", convert.CLOCK,
    fmtp={"packetization-mode": "1", "profile-level-id": "42C01F"},
)  # fmt: skip
_POLL_SECONDS = 0.1
_FIRST_SECONDS = 30.0
_HUNG_SECONDS = 10.0


class Places:
    """How many streams a node converts at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = asyncio.Semaphore(most)

    @property
    def full(self) -> bool:
        return self._free.locked()

    async def __aenter__(self) -> None:
        await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


class Feed(RelayViewer):
    """Writes what a camera sends to the worker; behind, it goes on at the next key frame."""

    def product(self, chunk: Chunk) -> bytes:
        kind = convert.KEY if chunk.key else convert.DELTA
        return convert.FRAME.pack(kind, chunk.timestamp, chunk.at, len(chunk.data)) + chunk.data


class Converted(Source):
    """Feeds a Stream from a worker that converts another one, `camera()`, until cancelled."""

    def __init__(
        self, stream: Stream, patience: Patience, places: Places, camera: Callable[[], Stream]
    ) -> None:
        super().__init__(stream, Refusals(), patience)
        self._places = places
        self._camera = camera
        self._short = 0

    async def _once(self) -> None:
        await self._playing()
        if self._places.full:
            why = f"This node converts at most {self._places.most} at once, and so many are watched."
            self._tell(BUSY, why)
        async with self._places:
            began = monotonic()
            try:
                # It may have gone while this one waited for its place.
                await self._convert(await self._playing())
            finally:
                self._short = self._short + 1 if monotonic() - began < FEWEST_SECONDS else 0

    def _pause(self, failures: int) -> float:
        return super()._pause(self._short)

    def _patient(self, seconds: float) -> float:
        """A stream that ends its worker each time must not keep the node busy, whoever watches."""
        return seconds

    async def _playing(self) -> Stream:
        """The camera's stream as soon as it plays; until then whoever watches hears why it does not."""
        camera = self._camera()
        while camera.state != "online" or not camera.tracks:
            if camera.state != "connecting" and camera.state != self._stream.state:
                self._tell(camera.state, camera.reason)
            await asyncio.sleep(_POLL_SECONDS)
            camera = self._camera()
        if camera.sounds_alone:
            raise RtspError(NO_PICTURE, "The camera sends sound alone: there is no picture to convert.")
        return camera

    async def _convert(self, camera: Stream) -> None:
        video = next(track for track in camera.tracks if track.media.kind == "video")
        tails = self._stream.playing([Track(_PICTURE, 0)])
        async with _worker(video) as ours:
            intake = Intake(0, depay.h264_kind, self._stream.publish, self._answered, tails)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_unix_connection(lambda: intake, sock=ours)
            intake.begin(transport, b"")
            feed = Feed(transport, camera.remove, None)
            sets = annex_b(video.media.parameter_sets)
            transport.write(convert.FRAME.pack(convert.SETS, 0, 0, len(sets)) + sets)
            camera.add_relay(feed)
            LOG.info("stream %s/%s is converted from %s", *self._stream.key, video.media.codec)
            try:
                await self._look_after(camera, intake)
            finally:
                camera.remove(feed)
                transport.abort()

    async def _look_after(self, camera: Stream, intake: Intake) -> None:
        seen, seen_at, tracks = 0, monotonic(), camera.tracks
        while not intake.lost.done():
            await asyncio.wait([intake.lost], timeout=1.0)
            if camera.tracks is not tracks:
                return
            if camera.state != "online":
                raise RtspError(camera.state, camera.reason)
            if intake.bytes != seen:
                seen, seen_at = intake.bytes, monotonic()
            elif monotonic() - seen_at > (_HUNG_SECONDS if seen else _FIRST_SECONDS):
                raise RtspError(
                    rtsp.GARBLED, "Its pictures could not be converted: none has come for a while."
                )
        raise RtspError(rtsp.GARBLED, "The program that converts its pictures ended; it is started again.")


@asynccontextmanager
async def _worker(video: Track) -> AsyncIterator[socket.socket]:
    """A worker for this track; the socket carries frames to it, and RTP back. It does not outlive its use."""
    ours, theirs = socket.socketpair()
    process: Process | None = None
    try:
        words = worker.command("services.mts.convert", video.media.codec, str(video.channel))
        process = await asyncio.create_subprocess_exec(
            *words, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=DEVNULL, env=worker.environment()
        )
        theirs.close()
        ours.setblocking(False)
        yield ours
    finally:
        for end in (ours, theirs):
            end.close()
        if process:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
