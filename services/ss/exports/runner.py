"""Carries out exports one after another, at most two at a time, each file by a process of its own."""

import asyncio
import contextlib
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ParamSpec, TypeVar

from services.runtime import clock
from services.runtime.errors import Problem
from services.ss import sealing
from services.ss.blend import spans
from services.ss.entry import MILLI, SECOND
from services.ss.exports import finishing, names, pieces
from services.ss.exports.archive import room
from services.ss.exports.job import Job, Made
from services.ss.exports.order import Order, Wanted
from services.ss.exports.pieces import Piece
from services.ss.exports.shelf import Shelf
from services.ss.library import Library
from services.ss.reader import places, unreadable

LOG = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
TURN_SECONDS = 30.0
SILENT_SECONDS = 1800.0
MOST_FILES = 1000
TRIES = 3
SETTLED_SECONDS = 3.0
"""What is younger when it is ordered may still be on its way to the disk."""
WORKER = (sys.executable, "-m", "services.ss.exports.worker")


class FailedError(Exception):
    """The job cannot be done; the text says why."""


class Runner:
    """The exports of a node; `run` works until cancelled, and `close` leaves what is unfinished for later."""

    def __init__(self, library: Library, shelf: Shelf, node: str) -> None:
        self.shelf = shelf
        self._library = library
        self._node = node
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        # Held by whoever puts jobs on the shelf, starts them or takes them away.
        self._ordering = asyncio.Lock()

    async def run(self) -> None:
        """Start what waits, and take away what is too old."""
        while True:
            async with self._ordering:
                self._start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await self._news.wait()
            self._news.clear()
            async with self._ordering:
                await _whole(self.shelf.expire if self.shelf.known else self.shelf.open)

    async def order(self, order: Order) -> Job:
        """Put an order into the queue; Problem 404 where nothing of it is recorded, 409, 503."""
        wanted = await asyncio.to_thread(self._amount, order)
        if not wanted and order.id not in self.shelf.jobs:
            raise Problem("export-empty", "There is nothing to export.", "Nothing is recorded in this span.",
                          "Choose another span on the timeline.", status=404)  # fmt: skip
        async with self._ordering:
            made = await _whole(self.shelf.add, order, wanted)
        self._news.set()
        return made

    async def cancel(self, id: str) -> Job:
        """Stop a job, and take away what there is of it; nothing happens to one that is over."""
        job = self.shelf.jobs[id]
        async with self._ordering:
            if task := self._tasks.get(id):
                task.cancel()
                await asyncio.wait([task])
            if not job.over:
                await _whole(self.shelf.end, job, "cancelled")
        return job

    async def remove(self, id: str) -> None:
        """Forget a job, whatever it is doing."""
        await self.cancel(id)
        await _whole(self.shelf.remove, id)

    async def close(self) -> None:
        """Stop; the next start goes on."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _amount(self, order: Order) -> int:
        start, end = _span(order, clock.now().timestamp())
        found = (part for one in order.channels for part in spans(self._library, one.channel, start, end))
        return sum(self._library.amount(*part) for part in found)

    def _start(self) -> None:
        waiting = [one for one in self.shelf.jobs.values() if one.state == "queued"]
        for job in sorted(waiting, key=lambda one: one.at)[: max(0, AT_ONCE - len(self._tasks))]:
            id = job.order.id
            self._tasks[id] = asyncio.create_task(self._carry_out(job))
            self._tasks[id].add_done_callback(partial(self._ended, id))

    def _ended(self, id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(id, None)
        self._news.set()

    async def _carry_out(self, job: Job) -> None:
        job.move("running")
        try:
            await self._prepare(job)
            for one in job.order.channels:
                await self._channel(job, one)
            await self._finish(job)
        except FailedError as error:
            await _whole(self.shelf.end, job, "failed", str(error))
        except OSError as error:
            await _whole(self.shelf.end, job, "failed", f"The disk refused: {error.strerror or error}.")
        except Exception as error:
            LOG.exception("export %s", job.order.id)
            await _whole(self.shelf.end, job, "failed", f"It met an unexpected error: {error}.")

    async def _prepare(self, job: Job) -> None:
        """Work out how much there is and whether it is one file, and leave no bytes of an earlier attempt."""
        sizes = await asyncio.to_thread(self._sizes, job)
        if not sizes and not job.made:
            why = await asyncio.to_thread(self._unreadable, job)
            raise FailedError(why or "Nothing of it is recorded any more.")
        if len(sizes) + len(job.made) > MOST_FILES:
            raise FailedError(
                f"The recording is interrupted more than {MOST_FILES} times; take a shorter span."
            )
        job.total = sum(one.size for one in job.made) + sum(sizes)
        if not job.made:
            job.zip = len(sizes) > 1 or bool(job.order.folder)
        await _whole(self.shelf.save, job)

    def _sizes(self, job: Job) -> list[int]:
        return [one.size for wanted in job.order.channels for one in self._pieces(job, wanted)]

    def _unreadable(self, job: Job) -> str:
        span = _span(job.order, job.at)
        wanted = (places(self._library, one.channel, *span) for one in job.order.channels)
        return next(filter(None, map(unreadable, wanted)), "")

    def _next(self, job: Job, wanted: Wanted) -> Piece | None:
        return next(self._pieces(job, wanted), None)

    def _pieces(self, job: Job, wanted: Wanted) -> Iterator[Piece]:
        """All of the main stream, then what the sub stream has where that lacks."""
        behind = {one.channel: one.last for one in job.made}
        for track, low, high in spans(self._library, wanted.channel, *_span(job.order, job.at)):
            yield from pieces.pieces(self._library, track, low, high, behind.get(track))

    async def _channel(self, job: Job, wanted: Wanted) -> None:
        tries = 0
        if job.made and not job.zip:
            return
        while piece := await asyncio.to_thread(self._next, job, wanted):
            answer = await self._file(job, wanted, piece)
            if "made" in answer:
                job.made.append(_made(answer, job, wanted, piece))
                job.writing, tries = 0, 0
                await _whole(finishing.keep, self.shelf, job)
                continue
            tries += 1
            if answer.get("problem") == "disk" or tries >= TRIES:
                raise FailedError(_reason(answer))
            LOG.warning("a file of export %s begins anew: %s", job.order.id, answer)
            await self._prepare(job)

    async def _finish(self, job: Job) -> None:
        if job.state == "running":
            job.move("verifying")
        await _whole(finishing.close, self.shelf, job, self._node)
        sha256 = job.made[0].sha256
        if job.zip:
            answer = await self._child(job, {"sum": str(self.shelf.result(job.order.id))})
            if "made" not in answer:
                raise FailedError(_reason(answer))
            sha256 = str(answer["made"]["sha256"])
        await _whole(finishing.seal, self.shelf, job, sha256)

    async def _file(self, job: Job, wanted: Wanted, piece: Piece) -> dict[str, Any]:
        """What the process that writes a file says at last."""
        if job.state != "running":
            job.move("running")
        task = {
            "result": str(self.shelf.result(job.order.id)), "offset": _place(job, wanted, piece)[1],
            "format": job.order.format, "reserve": self.shelf.reserve(), "piece": pieces.as_dict(piece),
            "anew": not job.made, "encrypt": sealing.writing() is not None,
        }  # fmt: skip
        return await self._child(job, task)

    async def _child(self, job: Job, task: dict[str, Any]) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(*WORKER, stdin=PIPE, stdout=PIPE)
        try:
            return await _followed(child, job, task)
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            await asyncio.shield(child.wait())


def _span(order: Order, at: float) -> tuple[int, int]:
    """What is wanted of what was recorded when it was ordered, microseconds; never the growing end."""
    return order.start * MILLI, min(order.end * MILLI, int((at - SETTLED_SECONDS) * SECOND))


async def _whole(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Something short that blocks, done to its end even if the job is cancelled meanwhile."""
    task = asyncio.create_task(asyncio.to_thread(work, *given, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _followed(child: Process, job: Job, task: dict[str, Any]) -> dict[str, Any]:
    if child.stdin is None or child.stdout is None:
        raise AssertionError("a child without pipes")
    with contextlib.suppress(ConnectionError):
        child.stdin.write(json.dumps(task).encode() + b"\n")
        await child.stdin.drain()
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                line = await child.stdout.readline()
        except TimeoutError:
            return {"problem": "silent", "why": "nothing was written for half an hour"}
        if not line:
            return {"problem": "ended", "why": "the process that writes it ended"}
        said: dict[str, Any] = json.loads(line)
        if "made" in said or "problem" in said:
            return said
        job.writing = int(said.get("written", job.writing))
        if "verifying" in said:
            job.move("verifying")


def _place(job: Job, wanted: Wanted, piece: Piece) -> tuple[str, int]:
    """Name of the next file, and where its bytes begin in the result."""
    called = wanted.name if piece.track == wanted.channel else f"{wanted.name} sub"
    if not job.zip:
        return names.of_single(piece.track, called, piece.start), 0
    name = names.of_piece(len(job.made) + 1, piece.track, called, piece.start)
    name = names.inside(job.order.folder, name)
    return name, job.end + room(name)


def _made(answer: dict[str, Any], job: Job, wanted: Wanted, piece: Piece) -> Made:
    name, offset = _place(job, wanted, piece)
    return Made(name, piece.track, piece.start, piece.end, after=piece.after, last=piece.last,
                offset=offset, **answer["made"])  # fmt: skip


def _reason(answer: dict[str, Any]) -> str:
    heads = {
        "disk": "The disk cannot take it", "source": "The recording could not be read to its end",
        "verify": "What was written is not what was recorded",
    }  # fmt: skip
    return f"{heads.get(str(answer.get('problem')), 'It could not be written')}: {answer.get('why', '')}."
