"""A device that is logged in to: one question at a time over its socket, and is it still there."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from services.ars.login import KEEP_ALIVE
from services.ars.wire import Answer, Headers, Wire, WireError
from services.runtime import clock
from services.runtime.errors import Problem

KEEP_ALIVE_SECONDS, MISSES = 20.0, 3
ASK_SECONDS = 10.0
WAITING = 8
_LOOK_SECONDS = 0.5


@dataclass
class Link:
    """The socket of one device; `ended` is why it is of no more use, empty while it is."""

    device: str
    account: tuple[str, str, str] = field(repr=False)
    wire: Wire
    peer: str
    token: str
    period: float = KEEP_ALIVE_SECONDS
    since: datetime = field(default_factory=clock.now)
    ended: str = ""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    _asked: set[asyncio.Task[Answer]] = field(default_factory=set)

    async def ask(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Answer:
        """One question; Problem 502, 503 or 504. An answer that comes too late is read and dropped."""
        if self._waiting >= WAITING:
            raise _problem("device-busy", f"{WAITING} questions wait for this device already.", 503)
        task = self._begin(method, target, headers, body)
        done, _ = await asyncio.wait({task}, timeout=ASK_SECONDS)
        if not done:
            raise _problem("device-slow", f"It did not answer within {ASK_SECONDS:.0f} s.", 504)
        if task.cancelled() or task.exception():
            raise _problem("device-lost", self.ended, 502)
        return task.result()

    async def keep(self) -> None:
        """Ask every `period` seconds whether it is there; returns once three answers in a row are missing."""
        misses, waiting = 0, self._begin("POST", KEEP_ALIVE, (), b"")
        while misses < MISSES:
            await self._pause()
            if self.ended:
                return
            heard = waiting.done() and waiting.result().status == 200
            misses = 0 if heard else misses + 1
            if waiting.done():
                waiting = self._begin("POST", KEEP_ALIVE, (), b"")
        self.end(f"It did not answer {MISSES} keep-alives in a row.")

    def end(self, why: str) -> None:
        """Give the socket up; the first reason stays."""
        self.ended = self.ended or why
        self.wire.close()
        for task in self._asked - {asyncio.current_task()}:
            task.cancel()

    async def _pause(self) -> None:
        until = clock.monotonic() + self.period
        while clock.monotonic() < until and not self.ended:
            if self.wire.gone:
                self.end("It closed the connection.")
            await asyncio.sleep(min(_LOOK_SECONDS, self.period))

    def _begin(self, method: str, target: str, headers: Headers, body: bytes) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self._exchange(method, target, headers, body))
        self._asked.add(task)
        task.add_done_callback(self._finish)
        return task

    async def _exchange(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        self._waiting += 1
        try:
            async with self._turn:
                return await self.wire.ask(method, target, (("X-cgi-token", self.token), *headers), body)
        except WireError as error:
            self.end(str(error))
            raise
        finally:
            self._waiting -= 1

    def _finish(self, task: asyncio.Task[Answer]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            # Looked at, so that an answer nobody waits for any more is no accident of its own.
            task.exception()


def _problem(code: str, why: str, status: int) -> Problem:
    what = "The device gave no answer through its registered connection."
    return Problem(code, what, why, "Try again; if it stays so, see the device's state.", status=status)
