"""JPEG pictures of key frames, made by a worker process that is there only while somebody asks."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

from services.media.picture import ANSWER, CODECS, MAX_UNIT, REQUEST
from services.runtime.errors import Problem

LOG = logging.getLogger(__name__)

MAX_WAITING = 8
SECONDS = 10.0
_MAX_JPEG = 32 * 1024 * 1024


class Pictures:
    """At most `MAX_WAITING` at once; the worker ends by itself when idle, and is killed when it hangs."""

    def __init__(self) -> None:
        self._worker: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._busy = False

    async def jpeg(self, codec: str, unit: bytes, width: int = 0) -> bytes:
        """JPEG of an access unit of H264 or H265 in Annex B form, parameter sets first.

        `width` in pixels, 0 for as it is; never larger than the picture. Raises Problem.
        """
        if codec not in CODECS or len(unit) > MAX_UNIT:
            raise _none(f"A picture of {len(unit)} bytes in {codec} is not decoded here.")
        if self._waiting >= MAX_WAITING:
            raise _none("Too many pictures are asked for at once.", "Try again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._made(REQUEST.pack(CODECS[codec], width, len(unit)) + unit)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the worker."""
        if self._worker and self._worker.returncode is None:
            self._worker.kill()
            await self._worker.wait()
        self._worker = None

    async def _made(self, request: bytes) -> bytes:
        try:
            async with asyncio.timeout(SECONDS):
                # A worker that was about to end as idle gets a successor, once.
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    return await self._asked(request)
                await self.close()
                return await self._asked(request)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as reason:
            LOG.warning("the decoder failed: %r", reason)
            raise _none("The decoder did not come to an end with it.") from reason
        finally:
            # Whoever was cut off in the middle must not leave half an answer to the next one.
            if self._worker and self._busy:
                await self.close()

    async def _asked(self, request: bytes) -> bytes:
        if self._worker is None or self._worker.returncode is not None:
            self._worker = await _started()
        writer, reader = self._worker.stdin, self._worker.stdout
        if writer is None or reader is None:
            raise BrokenPipeError
        self._busy = True
        writer.write(request)
        await writer.drain()
        good, size = ANSWER.unpack(await reader.readexactly(ANSWER.size))
        body = await reader.readexactly(min(size, _MAX_JPEG))
        self._busy = False
        if not good:
            raise _none(f"The picture could not be decoded ({body.decode(errors='replace')}).")
        return body


async def _started() -> Process:
    words = (sys.executable, "-m", "services.media.picture")
    return await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)


def _none(why: str, remedy: str = "Try again; if it stays so, look at the camera live.") -> Problem:
    return Problem("no-snapshot", "There is no picture.", why, remedy, status=503)
