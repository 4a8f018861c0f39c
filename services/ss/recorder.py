"""Records one channel: takes its stream from DSS_MTS and cuts it into files at key frames."""

import asyncio
import errno
import json
import logging
import time
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import NamedTuple

from services.media import batch
from services.media.batch import Batch
from services.media.plans import CONTINUOUS
from services.runtime import auth
from services.ss import segment
from services.ss.disks import Disk
from services.ss.entry import CLOCK, GAP, JOINED, SECOND, Entry, spare
from services.ss.held import LARGEST, Held
from services.ss.link import TEXT, Link, LinkError
from services.ss.reasons import CAMERA, DISK, RELAY, UNKNOWN, Trouble
from services.ss.segment import Segment
from services.ss.store import Store

LOG = logging.getLogger(__name__)

SILENCE_SECONDS = 8.0
RETRY_FIRST, RETRY_LAST = 0.25, 5.0
STEP = SECOND
"""Clock and stream differ by more than this (microseconds): it was set, or pictures are missing."""
ROOM = 64 * 1024 * 1024
_SOUND_ALONE = 409
"""How DSS_MTS refuses to give a channel without a picture to a recorder."""
_NO_STREAM = (TimeoutError, ValueError, OSError)
_NO_PICTURE = 503
_LATEST = 10 * SECOND
"""No batch comes later than this after it began (microseconds), but where a clock was set."""


class Wish(NamedTuple):
    """What a recorder is to do: write files of a `kind`, or, None, hold `pre` seconds in `most` bytes.

    `sound`: with what is heard.
    """

    kind: str | None = CONTINUOUS
    pre: float = 0.0
    most: int = LARGEST
    sound: bool = False


class Recorder:
    """One channel; `problem` says why nothing comes, empty while it does; `trouble` what of it is certain.

    `wish` may change at any time. A batch that comes afterwards and began before is still part of what has
    ended: beginning takes effect with the next batch, ending with the first key frame behind it.
    """

    def __init__(self, channel: str, store: Store) -> None:
        self.channel = channel
        self._wish = Wish(None)
        # Which kind has ended last, and when, in microseconds since 1970.
        self._ended: tuple[str, int] | None = None
        self.problem = "It has not begun yet."
        self.trouble = Trouble(UNKNOWN)
        self.wrote_at = monotonic()
        self.bytes = 0
        self._store = store
        self._held = Held()
        self._kind = CONTINUOUS
        self._segment: Segment | None = None
        self._disk: Disk | None = None
        self._before: Entry | None = None
        # The last batch that began with a key frame, and when it came; None after a loss.
        self._last: Batch | None = None
        self._last_at = 0.0
        self._head = (b"", "", 0)
        self._began = 0.0
        # Since it connected: whether nothing new has come yet, and whether nothing has been written yet.
        self._behind = self._fresh = True

    @property
    def wish(self) -> Wish:
        """What it is to do now."""
        return self._wish

    @wish.setter
    def wish(self, wish: Wish) -> None:
        if self._wish.kind is not None and wish.kind is None:
            self._ended = self._wish.kind, time.time_ns() // 1000
        self._wish = wish

    @property
    def writes(self) -> str | None:
        """The kind of the file that is being written; None while there is none."""
        return self._kind if self._segment is not None else None

    @property
    def held(self) -> int:
        """Bytes in memory that wait for an event."""
        return self._held.size

    async def run(self, source: Callable[[bool], str]) -> None:
        """Record from where `source` says, with sound or not, until cancelled; the file is finished then."""
        pause = RETRY_FIRST
        try:
            while True:
                before = self.bytes
                try:
                    await self._once(source)
                except _NO_STREAM as reason:
                    self.problem, self.trouble = _said(reason), _certain(reason)
                await self.finish()
                pause = RETRY_FIRST if self.bytes > before else min(pause * 2, RETRY_LAST)
                await asyncio.sleep(pause)
        finally:
            await asyncio.shield(self.finish())

    async def finish(self) -> None:
        """Close the file that is being written."""
        one, disk, self._segment = self._segment, self._disk, None
        if one is None or disk is None:
            return
        try:
            self._before = await disk.run(self._close, one)
        except OSError as error:
            self._store.disks.failed(disk, error)
            self._before = one.entry

    def _close(self, one: Segment) -> Entry:
        entry = one.close()
        self._store.library.closed(entry, one)
        if not entry.gops:
            entry.path.unlink(missing_ok=True)
        return entry

    async def _once(self, source: Callable[[bool], str]) -> None:
        self._behind = self._fresh = True
        init: dict[str, object] = {}
        sound = self.wish.sound
        with closing(await Link.open(source(sound), auth.bearer())) as link:
            # Asked again for another one, DSS_MTS gives what it gave last once more, so nothing is lost.
            while sound == self.wish.sound:
                kind, data = await link.receive(SILENCE_SECONDS)
                if kind == TEXT:
                    init = self._hear(json.loads(data))
                elif init:
                    await self._begin(init, bytes(data))
                    init = {}
                else:
                    await self._take(batch.read(data))

    def _hear(self, said: dict[str, object]) -> dict[str, object]:
        """What the init segment that follows is like; nothing when it is a note that no picture comes."""
        if said["type"] == "init":
            return said
        # The file stays open: a camera that only paused goes on in the middle of a GOP.
        self.problem = f"{said['what']} {said['why']}"
        self.trouble = Trouble(CAMERA, str(said["why"]))
        return {}

    async def _begin(self, about: dict[str, object], init: bytes) -> None:
        await self.finish()
        # It would not fit behind the new beginning; after a break DSS_MTS gives the last of it again.
        self._held.clear()
        self._head = (init, str(about["mime"]), int(str(about["timescale"])))

    def _known(self, one: Batch) -> bool:
        """Whether DSS_MTS kept a batch for us that is on the disk already."""
        last = self._before.gops[-1].at if self._before and self._before.gops else 0
        self._behind = self._behind and one.kept and (not one.key or one.at < last - 2)
        return self._behind

    async def _take(self, one: Batch) -> None:
        if self._known(one):
            return
        kind = self._asked(one)
        if kind is None and (one.key or self._segment is None):
            await self._hold(one)
            return
        if kind is not None and (one.key or self._held):
            self._kind = kind
        for earlier in self._held.drain():
            await self._write(earlier)
        await self._write(one)

    def _asked(self, one: Batch) -> str | None:
        """The kind to write a batch as; it may have been asked for while the batch was gathered only."""
        if self.wish.kind is None and self._ended:
            kind, at = self._ended
            if 0 < at - one.at < _LATEST:
                return kind
            self._ended = None
        return self.wish.kind

    async def _hold(self, one: Batch) -> None:
        await self.finish()
        self._held.add(one, monotonic(), self.wish.pre, self.wish.most)
        if not one.kept:
            self.wrote_at, self.problem = monotonic(), ""

    async def _write(self, one: Batch) -> None:
        join = self._joins(one) if one.key else JOINED
        over = monotonic() - self._began >= self._store.file_seconds
        if one.key and (self._segment is None or over or join != JOINED or self._changed_kind()):
            await self._next_file(one, join)
        if one.key:
            self._last, self._last_at = one, monotonic()
        if (
            self._segment is None
            or self._disk is None
            or not await self._append(self._segment, self._disk, one)
        ):
            self._last = None
            return
        if not one.kept:
            # What DSS_MTS kept may be here already, and says nothing of the camera now.
            self.wrote_at, self.problem = monotonic(), ""
        self.bytes += len(one.body)

    def _changed_kind(self) -> bool:
        return self._segment is not None and self._segment.entry.kind != self._kind

    def _joins(self, one: Batch) -> str:
        """How a batch follows what came before; a GOP that comes once more joins, in place of its part."""
        fresh, self._fresh = self._fresh, False
        if fresh and self._before and self._before.gops:
            return JOINED if abs(self._before.gops[-1].at - one.at) <= 2 else GAP
        if one.gap or self._last is None:
            return GAP
        wall = one.at - self._last.at
        media = (one.first - self._last.first) * SECOND // (self._head[2] or 1)
        if abs(wall - media) <= STEP:
            return JOINED
        passed = int((monotonic() - self._last_at) * SECOND)
        return GAP if abs(wall - passed) <= 2 * STEP else CLOCK

    async def _next_file(self, one: Batch, join: str) -> None:
        await self.finish()
        disk = self._store.disks.choose()
        if disk is None:
            self.problem = "No storage folder takes recordings."
            self.trouble = Trouble(DISK, self.trouble.detail if self.trouble.reason == DISK else "")
            return
        try:
            await disk.run(self._open, disk, one, join)
        except OSError as error:
            self._refused(disk, error)
            if error.errno == errno.ENOSPC:
                await disk.run(self._store.retention.make_room, disk, ROOM)

    def _open(self, disk: Disk, one: Batch, join: str) -> None:
        before = self._before
        seq = (before.seq if before else 0) + 1
        if before is not None and join == JOINED and len(before.gops) == 1 and _again(before, one):
            # Nothing would be left of it: the new file stands in its place, so that no number is missing.
            self._end_before(before, one)
            seq, join, before = before.seq, before.join, None
        elif before is not None and join == GAP:
            seq += spare(one.at - before.end)
        init, mime, timescale = self._head
        first = Entry(self.channel, seq, one.at, one.at, 0, disk.root, join, timescale, (), self._kind)
        made = Segment(first, segment.head(init, mime, timescale, self._kind))
        try:
            if before is not None and join == JOINED:
                self._end_before(before, one)
        except OSError:
            made.discard()
            raise
        self._before = first
        self._segment, self._disk, self._began = made, disk, monotonic()
        self._store.library.opened(self.channel, made)

    def _end_before(self, before: Entry, one: Batch) -> None:
        """End the file before where this one begins; what both hold goes from the older one."""
        left: Entry | None = before
        if _again(before, one):
            # After a power cut in here the next start reads the file, instead of trusting an old entry.
            self._store.library.forget(before)
            left = segment.shorten(before)
        if left:
            self._store.library.note(left.ended(one.at))

    async def _append(self, one: Segment, disk: Disk, data: Batch) -> bool:
        for last in (False, True):
            try:
                await disk.run(one.append, data)
                self._store.disks.worked(disk)
                return True
            except OSError as error:
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                if full and not last and await disk.run(self._store.retention.make_room, disk, ROOM):
                    continue
                self._refused(disk, error)
        await self.finish()
        return False

    def _refused(self, disk: Disk, error: OSError) -> None:
        self.problem = f"{disk.root}: {error.strerror or error}."
        self.trouble = Trouble(DISK, f"{error.strerror or error}.")
        self._store.disks.failed(disk, error)

    def resume(self) -> None:
        """Go on behind what the last run recorded; blocking."""
        self._before = self._store.index.last(self.channel)


def _again(before: Entry, one: Batch) -> bool:
    """Whether the last GOP of a file is recorded once more."""
    return bool(before.gops) and before.gops[-1].at >= one.at - 2


def _certain(reason: Exception) -> Trouble:
    """DSS_MTS runs and has no picture, or it does not give the stream; or neither is sure."""
    if isinstance(reason, LinkError) and reason.status == _NO_PICTURE:
        return Trouble(CAMERA)
    return Trouble(RELAY if isinstance(reason, (LinkError, ConnectionError)) else UNKNOWN)


def _said(reason: Exception) -> str:
    if isinstance(reason, TimeoutError):
        return "Nothing comes from the camera."
    if isinstance(reason, LinkError) and reason.status == _SOUND_ALONE:
        return "The camera sends sound alone, which is not recorded; set its plan to off."
    if isinstance(reason, LinkError) and reason.status:
        return f"DSS_MTS has no picture of it (HTTP {reason.status})."
    return f"DSS_MTS does not give the stream ({reason})."
