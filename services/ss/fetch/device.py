"""A device's own storage by its HTTP interface: what its clock says, and which spans it has recorded."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from services.runtime import clock
from services.runtime.http import join_host_port
from services.ss.entry import SECOND

SECONDS, LARGEST_ANSWER = 10.0, 256 * 1024
AT_ONCE, MOST_FOUND = 100, 2000
FORMAT, URL_FORMAT = "%Y-%m-%d %H:%M:%S", "%Y_%m_%d_%H_%M_%S"
_EDGE_SECONDS, _EDGE_STEP = 1.2, 0.1
_TIME = re.compile(r"items\[(\d+)\]\.(Start|End)Time=(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_FAILED = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


class RefusedError(Exception):
    """The device does not accept the user or the password."""


class SilentError(Exception):
    """The device gave no usable answer; the text says why."""


class NoStorageError(Exception):
    """The device says that it cannot search in recordings of its own."""


@dataclass(frozen=True)
class Place:
    """Where the recordings of one channel are asked for; `number` counts from 1."""

    host: str
    port: int
    rtsp_port: int
    number: int
    username: str
    password: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Place | None":
        """From a row of `GET /channels`; None for a device that has no storage which can be searched."""
        where = row.get("storage")
        if not where:
            return None
        ports = int(where["port"]), int(where["rtsp_port"]), int(where["number"])
        return cls(str(where["host"]), *ports, str(row["username"]), str(row["password"]))

    def playback(self, start: int, end: int, offset: int) -> str:
        """The RTSP URL of a span, microseconds since 1970; `offset` is what the device's clock is ahead."""
        # Whole seconds are all that the device takes: a little more, rather than less.
        first, last = (_written(at + offset, URL_FORMAT) for at in (start, end + SECOND))
        where = join_host_port(self.host, self.rtsp_port)
        words = f"channel={self.number}&subtype=0&starttime={first}&endtime={last}"
        return f"rtsp://{where}/cam/playback?{words}"


class Device:
    """One device while it is asked; every question raises RefusedError or SilentError."""

    def __init__(self, place: Place, session: aiohttp.ClientSession) -> None:
        self._place, self._session = place, session

    async def offset(self) -> int:
        """Microseconds that its clock, in its own time zone, is ahead of ours; to about a tenth of a second.

        It tells whole seconds only, so it is asked until the second changes.
        """
        first, until = await self._time(), asyncio.get_running_loop().time() + _EDGE_SECONDS
        while (now := await self._time()) == first and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_EDGE_STEP)
        return now - round(clock.now().timestamp() * SECOND)

    async def recorded(self, start: int, end: int, offset: int) -> list[tuple[int, int]]:
        """Spans it has of [start, end) by our clock, sorted and apart; NoStorageError where it has none."""
        try:
            finder = (await self._ask("mediaFileFind.cgi?action=factory.create")).partition("=")[2].strip()
        except NotKnownError as reason:
            raise NoStorageError("The camera has no storage that can be searched.") from reason
        times = [quote(_written(at + offset, FORMAT), safe=":-") for at in (start, end)]
        condition = f"condition.Channel={self._place.number}&condition.StartTime={times[0]}"
        try:
            await self._ask(f"mediaFileFind.cgi?action=findFile&object={finder}&{condition}"
                            f"&condition.EndTime={times[1]}")  # fmt: skip
            return _merged([span async for span in self._found(finder, offset)])
        except NotKnownError:
            # What a device says that has nothing of such a span.
            return []
        finally:
            await self._let_go(finder)

    async def _found(self, finder: str, offset: int) -> AsyncIterator[tuple[int, int]]:
        for _ in range(MOST_FOUND // AT_ONCE):
            text = await self._ask(f"mediaFileFind.cgi?action=findNextFile&object={finder}&count={AT_ONCE}")
            rows: dict[str, dict[str, int]] = {}
            for number, edge, written in _TIME.findall(text):
                rows.setdefault(number, {})[edge] = _read(written) - offset
            for row in rows.values():
                if {"Start", "End"} <= row.keys():
                    yield row["Start"], row["End"]
            if len(rows) < AT_ONCE:
                return

    async def _let_go(self, finder: str) -> None:
        for action in ("close", "destroy"):
            try:
                await self._ask(f"mediaFileFind.cgi?action={action}&object={finder}")
            except (NotKnownError, SilentError, RefusedError):
                return

    async def _time(self) -> int:
        try:
            text = await self._ask("global.cgi?action=getCurrentTime")
            return _read(text.partition("=")[2].strip())
        except (NotKnownError, ValueError) as error:
            raise SilentError("The camera does not say what time it has.") from error

    async def _ask(self, question: str) -> str:
        base = f"http://{join_host_port(self._place.host, self._place.port)}/cgi-bin/"
        try:
            # The device wants its brackets, colons and blanks as they are written here.
            async with self._session.get(base + question, allow_redirects=False) as answer:
                body = await answer.content.read(LARGEST_ANSWER)
        except _FAILED as error:
            said = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise SilentError(f"The camera's HTTP interface gives no usable answer ({said}).") from error
        if answer.status in {401, 403}:
            raise RefusedError("The camera's HTTP interface refuses the user or the password.")
        text = body.decode("utf-8", "replace")
        if answer.status != 200 or text.startswith("Error"):
            raise NotKnownError(question.partition("&")[0])
        return text


class NotKnownError(Exception):
    """The device refuses one question; some firmware does so with status 200."""


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Device]:
    """A device to be asked; its password goes out as a digest only."""
    digest = aiohttp.DigestAuthMiddleware(place.username, place.password)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, middlewares=(digest,)) as session:
        yield Device(place, session)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted; files that follow each other within two seconds, as the device counts, are one span."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + 2 * SECOND:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _written(at: int, form: str) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).strftime(form)


def _read(text: str) -> int:
    return int(datetime.strptime(text, FORMAT).replace(tzinfo=UTC).timestamp()) * SECOND
