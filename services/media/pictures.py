"""JPEG pictures of key frames, made by a worker process that is there only while somebody asks."""

import asyncio
import contextlib
import logging
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable

from services.media import worker
from services.media.picture import ANSWER, CODECS, MAX_UNIT, REQUEST

LOG = logging.getLogger(__name__)

WAITING = 8
SECONDS = 10.0
IDLE_SECONDS = 20.0
_MAX_JPEG = 32 * 1024 * 1024
_START = b"\x00\x00\x00\x01"


class PictureError(Exception):
    """There is no JPEG, and why."""


class Pictures:
    """At most `waiting` at once; the worker ends by itself when idle, and is killed when it hangs."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._most = waiting
        self._worker: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._busy = False

    async def jpeg(self, codec: str, unit: bytes, width: int = 0, height: int = 0) -> bytes:
        """JPEG of an access unit of H264 or H265 in Annex B form, parameter sets first.

        At most so many pixels wide and high, 0 for any; never larger than the picture. Raises PictureError.
        """
        if codec not in CODECS or len(unit) > MAX_UNIT:
            raise PictureError(f"A picture of {len(unit)} bytes in {codec} is not decoded here.")
        if self._waiting >= self._most:
            raise PictureError("Too many pictures are asked for at once.")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._made(REQUEST.pack(CODECS[codec], width, height, len(unit)) + unit)
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
            raise PictureError("The decoder did not come to an end with it.") from reason
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
            raise PictureError(f"The picture could not be decoded ({body.decode(errors='replace')}).")
        return body


def annex_b(units: Iterable[bytes | memoryview]) -> bytes:
    """NAL units behind each other as a byte stream (ITU-T H.264 Annex B)."""
    return b"".join(part for unit in units for part in (_START, unit))


async def _started() -> Process:
    words = worker.command("services.media.picture", str(IDLE_SECONDS))
    return await asyncio.create_subprocess_exec(
        *words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=worker.environment()
    )
