"""Giving out results by HTTP, whole or by `Range`; encrypted ones are decrypted on the way."""

import asyncio
import os
from pathlib import Path
from typing import Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from services.runtime.errors import Problem
from services.ss.boxes import TornError
from services.ss.exports import ranges, results
from services.ss.exports.results import BUFFER


class Download(web.FileResponse):
    """A result, or the bytes of it that `Range` asks for; stands among `going` while it is sent."""

    def __init__(self, path: Path, headers: dict[str, str], going: "set[web.StreamResponse]") -> None:
        super().__init__(path, headers=headers)
        self._going = going

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it all."""
        self._going.add(self)
        try:
            return await super().prepare(request)
        finally:
            self._going.discard(self)


class Decrypted(web.StreamResponse):
    """The same of an encrypted result."""

    def __init__(self, path: Path, headers: dict[str, str], going: "set[web.StreamResponse]") -> None:
        super().__init__(headers=headers)
        self._path, self._going = path, going

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it all; ends early, before the announced length, where the disk gives something else."""
        self._going.add(self)
        try:
            with await asyncio.to_thread(_Open, self._path) as file:
                first, last = ranges.give(self, request, file.size, file.etag, file.changed)
                writer = await super().prepare(request)
                while first < last:
                    piece = await asyncio.to_thread(file.read, first, min(BUFFER, last - first))
                    await self.write(piece)
                    first += len(piece)
            await self.write_eof()
            return writer
        except (OSError, TornError) as error:
            raise ConnectionAbortedError(str(error)) from error
        finally:
            self._going.discard(self)


class _Open:
    """A result that is being sent; blocking. Raises OSError, TornError."""

    def __init__(self, path: Path) -> None:
        self._file = results.opened(path)
        about = os.fstat(self._file.fileno())
        self.size, self.changed = results.size(path), about.st_mtime
        self.etag = f"{about.st_mtime_ns:x}-{self.size:x}"

    def read(self, place: int, size: int) -> bytes:
        """Exactly so many bytes."""
        self._file.seek(place)
        found = self._file.read(size)
        if len(found) != size:
            raise TornError("it is shorter than it was")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def of(path: Path, headers: dict[str, str], going: "set[web.StreamResponse]") -> web.StreamResponse:
    """What answers a request for a result; KeyMissingError, OSError, TornError."""
    if not results.encrypted(path):
        return Download(path, headers, going)
    with _Open(path):
        return Decrypted(path, headers, going)


def refused(why: str, status: int) -> Problem:
    """A result is not given out."""
    remedy = "Ask for another permission to download and go on with what is there already."
    return Problem("export-refused", "The download was refused.", why, remedy, status)
