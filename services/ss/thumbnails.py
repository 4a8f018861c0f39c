"""Small pictures of recorded moments: made one after the other beside DSS_SS, kept for who asks again."""

import asyncio
import logging
from collections import OrderedDict
from itertools import chain

from services.media.pictures import PictureError, Pictures, annex_b
from services.media.plans import MAIN
from services.runtime.errors import Problem
from services.ss import reader, samples
from services.ss.blend import Blend
from services.ss.boxes import TornError
from services.ss.library import Library
from services.ss.reader import Place
from services.ss.video import video

LOG = logging.getLogger(__name__)

WIDE, HIGH = 320, 180
WAITING = 16
"""Pictures that may be in the making or waiting for it, of all viewers together."""
KEPT_BYTES = 8 * 1024 * 1024
Key = tuple[str, int, int]


class Thumbnails:
    """The pictures of all channels of this node."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._pictures = Pictures(WAITING)
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._size = 0
        self._making: dict[Key, asyncio.Task[bytes]] = {}

    async def of(self, channel: str, moment: int, stream: str = MAIN) -> bytes:
        """The JPEG of the key frame at or before a moment (microseconds since 1970), at most 320 x 180.

        Of the other stream where the wanted one was not recorded. Problem 404 where nothing is recorded or
        nothing can be decoded, 503 while too many are wanted.
        """
        return await self.made(await self.find(channel, moment, stream))

    async def find(self, channel: str, moment: int, stream: str) -> Place:
        """The GOP that `of` shows; Problem 404 where nothing is recorded."""
        place = await asyncio.to_thread(Blend(self._library, channel, stream).find, moment)
        if place is None or not place.at <= moment < place.end:
            raise _none("Nothing is recorded at this moment.")
        return place

    async def made(self, place: Place) -> bytes:
        """The JPEG of a GOP; Problem as of `of`."""
        key = (place.entry.channel, place.entry.seq, place.number)
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
            found = await self._pictures.jpeg(*await asyncio.to_thread(_unit, place), WIDE, HIGH)
        except (OSError, TornError) as error:
            raise _none(f"The picture cannot be read: {error}.") from error
        except PictureError as error:
            raise _none(str(error)) from error
        self._keep(key, found)
        return found

    def _keep(self, key: Key, jpeg: bytes) -> None:
        self._kept[key] = jpeg
        self._size += len(jpeg)
        while self._size > KEPT_BYTES:
            self._size -= len(self._kept.popitem(last=False)[1])

    async def close(self) -> None:
        """End what makes them."""
        for task in list(self._making.values()):
            task.cancel()
        await self._pictures.close()


def _unit(place: Place) -> tuple[str, bytes]:
    """Codec and access unit of the key frame; raises OSError or TornError."""
    shown = video(reader.head(place.entry).init)
    return shown.codec, annex_b([*chain.from_iterable(shown.sets), *samples.key(place).units])


def _none(why: str) -> Problem:
    remedy = "Choose another moment on the timeline."
    return Problem("thumbnail-none", "There is no small picture.", why, remedy, status=404)
