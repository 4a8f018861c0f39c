"""Every move ends: when it is not ordered again, after ten seconds, with this service, or after its death."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from services.dms import dahua, ptz
from services.dms.ptz import Head
from services.dms.refusals import Refusals
from services.node import files
from services.runtime.errors import Problem

LOG = logging.getLogger(__name__)

KEPT_SECONDS, LONGEST_SECONDS = 2.5, 10.0
MOST = 64
STOP_TRIES, STOP_PAUSE = 5, 1.0
T = TypeVar("T")


@dataclass(eq=False)
class Move:
    """A move that goes on until `until`, at the latest `LONGEST_SECONDS` after `began` (monotonic)."""

    head: Head
    code: str
    speed: int
    began: float
    until: float
    ending: bool = False
    task: asyncio.Task[None] | None = None


@dataclass
class Moves:
    """The moves of this node, one per channel. `file` names them for the next run, if this one dies."""

    file: Path
    refusals: Refusals
    now: dict[str, Move] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def move(self, head: Head, code: str, speed: int) -> bool:
        """Begin a move or keep it going; whether it began. Problem 409 or 502 where the camera does not."""
        async with self._lock(head.channel.id):
            old = self.now.get(head.channel.id)
            if old and not old.ending and (old.code, old.speed) == (code, speed):
                old.until = min(time.monotonic() + KEPT_SECONDS, old.began + LONGEST_SECONDS)
                return False
            await self._change(head, old, code, speed)
            return True

    async def stop(self, channel: str) -> None:
        """End the move of a channel, if there is one; tried again behind the answer where that fails."""
        async with self._lock(channel):
            if move := self.now.get(channel):
                await self._end(move)

    async def ask(self, head: Head, do: Callable[[], Awaitable[T]]) -> T:
        """What the camera answers; Problem 409 or 502. A refused password is not tried again for a while."""
        if self.refusals.wait(head.device) > 0:
            raise ptz.unable("It refused this user or password within the last ten minutes")
        try:
            return await do()
        except dahua.RefusedError as error:
            await asyncio.to_thread(self.refusals.note, head.device)
            raise ptz.unable(str(error)) from error
        except dahua.UnknownError as error:
            raise ptz.unable(str(error)) from error
        except dahua.SilentError as error:
            raise ptz.silent(str(error)) from error

    async def recall(self, find: Callable[[str], Head | None]) -> None:
        """End what the last run may have left moving; `find` knows the cameras there are."""
        try:
            left = dict(json.loads(self.file.read_text()))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError) as error:
            LOG.warning("moves of the last run are not known: %s", error)
            return
        for channel, code in list(left.items())[:MOST]:
            if (head := find(str(channel))) and code in ptz.CODES and channel not in self.now:
                self.now[channel] = move = Move(head, code, 0, 0.0, 0.0, ending=True)
                move.task = asyncio.create_task(self._insist(move, 0.0))

    async def close(self) -> None:
        """End all moves."""
        await asyncio.gather(*(self.stop(channel) for channel in list(self.now)))
        for move in self.now.values():
            _cancel(move)

    def _lock(self, channel: str) -> asyncio.Lock:
        if len(self._locks) > 16 * MOST:
            self._locks = {id: lock for id, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(channel, asyncio.Lock())

    async def _change(self, head: Head, old: Move | None, code: str, speed: int) -> None:
        if old and not await self._end(old):
            raise ptz.silent("It did not end the move before this one")
        if len(self.now) >= MOST:
            raise Problem("ptz-many", "The camera is not moved.", f"{MOST} cameras of this node move now.",
                          "Try again in a moment.", status=503)  # fmt: skip
        began = time.monotonic()
        move = Move(head, code, speed, began, began + KEPT_SECONDS)
        self.now[head.channel.id] = move
        # Noted before the camera hears of it: a power cut in between must not leave it moving.
        await asyncio.to_thread(self._keep)
        try:
            await self.ask(head, lambda: head.start(code, speed))
        except Problem:
            # It may have begun although its answer was lost.
            move.ending, move.task = True, asyncio.create_task(self._insist(move, 0.0))
            raise
        move.task = asyncio.create_task(self._watch(move))

    async def _watch(self, move: Move) -> None:
        while (left := move.until - time.monotonic()) > 0:
            await asyncio.sleep(left)
        LOG.info("the move of %s is ended: it was not ordered again", move.head.channel.id)
        await self.stop(move.head.channel.id)

    async def _end(self, move: Move) -> bool:
        """Stop the camera, and whether it did; where it does not answer, go on trying after the answer."""
        _cancel(move)
        move.ending = True
        if await _stopped(move):
            await self._forget(move)
            return True
        move.task = asyncio.create_task(self._insist(move, STOP_PAUSE))
        return False

    async def _insist(self, move: Move, pause: float) -> None:
        for _ in range(STOP_TRIES):
            await asyncio.sleep(pause)
            pause = STOP_PAUSE
            if await _stopped(move):
                break
        await self._forget(move)

    async def _forget(self, move: Move) -> None:
        if self.now.get(move.head.channel.id) is move:
            del self.now[move.head.channel.id]
        await asyncio.to_thread(self._keep)

    def _keep(self) -> None:
        kept = {id: move.code for id, move in list(self.now.items())}
        files.write(self.file, json.dumps(kept), 0o600)


def _cancel(move: Move) -> None:
    if move.task and move.task is not asyncio.current_task():
        move.task.cancel()


async def _stopped(move: Move) -> bool:
    """Whether nothing is left to do: a camera that refuses or does not know the order is left alone."""
    try:
        await move.head.stop(move.code)
    except (dahua.RefusedError, dahua.UnknownError) as error:
        LOG.warning("%s cannot be stopped: %s", move.head.channel.id, error)
    except dahua.SilentError as error:
        LOG.warning("%s was not stopped yet: %s", move.head.channel.id, error)
        return False
    return True
