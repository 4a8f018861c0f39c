"""Small pictures of recorded moments: made by a helper one after the other, kept for who asks again."""

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict

from services.runtime.errors import Problem
from services.ss import reader, samples
from services.ss.boxes import TornError
from services.ss.library import Library
from services.ss.reader import Place, Reader

LOG = logging.getLogger(__name__)

WAITING = 16
"""Pictures that may be in the making or waiting for it, of all viewers together."""
KEPT_BYTES = 8 * 1024 * 1024
LONGEST = 8 * 1024 * 1024
"""A key frame above this is none that a camera sends."""
PATIENCE = 10.0
IDLE = 30.0
"""Seconds after which the helper ends when nobody asks."""
Key = tuple[str, int, int]


class Helper:
    """`services.ss.picture` as a process, started when it is needed."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def make(self, mp4: bytes) -> bytes:
        """The JPEG of a file with one picture, b"" where it has none; OSError if the helper ended over it."""
        async with self._turn:
            if self._idle:
                self._idle.cancel()
            try:
                return await asyncio.wait_for(self._ask(mp4), PATIENCE)
            except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
                await self._end(kill=True)
                raise OSError(f"the helper ended over a picture: {error!r}") from error
            finally:
                self._idle = asyncio.get_running_loop().call_later(IDLE, self._rest)

    async def close(self) -> None:
        """End it."""
        if self._idle:
            self._idle.cancel()
        await self._end(kill=True)

    async def _ask(self, mp4: bytes) -> bytes:
        if self._process is None or self._process.returncode is not None:
            # It decodes what strangers send: nothing of this service's environment is for it.
            known = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-OO", "-m", "services.ss.picture", stdin=PIPE, stdout=PIPE, env=known
            )
        asked, told = self._process.stdin, self._process.stdout
        if asked is None or told is None:
            raise OSError("the helper has no pipes")
        asked.write(len(mp4).to_bytes(4, "big") + mp4)
        await asked.drain()
        return await told.readexactly(int.from_bytes(await told.readexactly(4), "big"))

    def _rest(self) -> None:
        """Nobody asked for a while: with its input it ends by itself."""
        if self._process and self._process.stdin and not self._turn.locked():
            self._process.stdin.close()
            self._process = None

    async def _end(self, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill() if kill else process.terminate()
        await process.wait()


class Thumbnails:
    """The pictures of all channels of this node."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._helper = Helper()
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._size = 0
        self._making: dict[Key, asyncio.Task[bytes]] = {}

    async def of(self, channel: str, moment: int) -> bytes:
        """The JPEG of the key frame at or before a moment (microseconds since 1970), at most 320 x 180.

        Problem 404 where nothing is recorded or nothing can be decoded, 503 while too many are wanted.
        """
        place = await asyncio.to_thread(reader.find, self._library, channel, moment)
        if place is None or not place.at <= moment < place.end:
            raise _none("Nothing is recorded at this moment.")
        key = (channel, place.entry.seq, place.number)
        if found := self._kept.get(key):
            self._kept.move_to_end(key)
            return found
        return await asyncio.shield(self._making.get(key) or self._begin(key, place))

    def _begin(self, key: Key, place: Place) -> asyncio.Task[bytes]:
        if len(self._making) >= WAITING:
            raise Problem(
                "thumbnails-busy", "There is no small picture now.", "Too many are wanted at once.",
                "Ask again in a moment.", status=503,
            )  # fmt: skip
        task = asyncio.create_task(self._make(key, place))
        self._making[key] = task
        task.add_done_callback(lambda done: self._made(key, done))
        return task

    def _made(self, key: Key, task: asyncio.Task[bytes]) -> None:
        del self._making[key]
        # Whoever waited has heard; the one who left need not.
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            LOG.debug("no picture of %s: %s", key, error)

    async def _make(self, key: Key, place: Place) -> bytes:
        try:
            found = await self._helper.make(await asyncio.to_thread(_file, place))
        except (OSError, TornError) as error:
            raise _none(f"The picture cannot be read: {error}.") from error
        if not found:
            raise _none("The picture cannot be decoded.")
        self._keep(key, found)
        return found

    def _keep(self, key: Key, jpeg: bytes) -> None:
        self._kept[key] = jpeg
        self._size += len(jpeg)
        while self._size > KEPT_BYTES:
            self._size -= len(self._kept.popitem(last=False)[1])

    async def close(self) -> None:
        """End the helper."""
        for task in list(self._making.values()):
            task.cancel()
        await self._helper.close()


def _file(place: Place) -> bytes:
    """A file with the key frame alone; raises OSError or TornError."""
    data, frames = samples.fragments(place, 0)
    if frames[0].end > LONGEST:
        raise TornError("the picture is larger than a camera's")
    return Reader(0).head(place.entry).init + data[: frames[0].end]


def _none(why: str) -> Problem:
    remedy = "Choose another moment on the timeline."
    return Problem("thumbnail-none", "There is no small picture.", why, remedy, status=404)
