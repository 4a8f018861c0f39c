"""Puts fetched GOPs into a gap as files of the archive, so that no picture stands twice."""

from dataclasses import dataclass, replace

from services.media.batch import Batch
from services.mts import fmp4
from services.ss import boxes, reader, segment
from services.ss.disks import Disk
from services.ss.entry import CAMERA, GAP, JOINED, SECOND, Entry
from services.ss.fetch.replay import Group, fingerprint
from services.ss.reader import Place
from services.ss.segment import Segment
from services.ss.store import Store

TOUCH = SECOND // 20
"""What begins this close to a border (microseconds) begins at it."""
UNSURE, MOST_LATE = SECOND * 3 // 2, 4
"""How far a place by the camera's clock may be off, as it names whole seconds; GOPs kept until that shows."""


class FullError(OSError):
    """There is no room that recording could spare."""


@dataclass(frozen=True)
class Hole:
    """From `start` to `end`, microseconds since 1970, between two files that were recorded live."""

    before: Entry
    after: Entry
    start: int
    end: int
    kind: str


def left(store: Store, after: Entry, start: int, end: int, kind: str) -> Hole | None:
    """What is still missing of [start, end) before a file; None if nothing is, or what was before is gone."""
    before = _healed(store, after)
    if before is None:
        return None
    low, high = max(start, before.end), min(end, after.start)
    return Hole(before, after, low, high, kind) if high - low > TOUCH else None


def _healed(store: Store, after: Entry) -> Entry | None:
    """The file before another one; what a power cut left in two files is taken out of the older one."""
    before = store.library.preceding(after.channel, after.seq)
    if before is None or before.source != CAMERA:
        return before
    earlier = store.library.preceding(after.channel, before.seq)
    if earlier and earlier.gops and earlier.gops[-1].at >= before.start - 2:
        _shorten(store, earlier, before.start)
    if len(before.gops) > 1 or after.start - before.end <= TOUCH:
        return before
    # It may be the part of a GOP, of which the whole comes again.
    store.library.forget(before)
    before.path.unlink(missing_ok=True)
    return store.library.preceding(after.channel, after.seq)


def _shorten(store: Store, entry: Entry, at: int) -> None:
    """Take off its last GOP, which another file now holds from `at` on."""
    store.library.forget(entry)
    if shorter := segment.shorten(entry):
        store.library.note(shorter.ended(at))


def print_of(entry: Entry, number: int) -> bytes:
    """The fingerprint of a recorded GOP; empty if it cannot be read any more."""
    try:
        data, *_ = reader.whole(Place(entry, number))
        return fingerprint(data, reader.head(entry).mime)
    except (OSError, boxes.TornError):
        return b""


class Splice:
    """Takes the groups of one replay; `first_at` is when its first one was, as far as is known by the clock.

    Where the last GOP before the gap, or the first one behind it, is among the groups, that end fits to the
    picture. Otherwise it fits to the clock, and a GOP that would overlap is left out. Blocking.
    """

    def __init__(self, store: Store, hole: Hole, disk: Disk, first_at: int) -> None:
        self._store, self._hole, self._disk = store, hole, disk
        self._zero = first_at
        self._front = print_of(hole.before, len(hole.before.gops) - 1)
        self._back = print_of(hole.after, 0) if hole.end == hole.after.start else b""
        self._segment: Segment | None = None
        # A file that cannot be read may lie in between: its number is not to be had.
        self._seq = store.index.taken(hole.after.channel, hole.after.seq)
        self._last: Group | None = None
        self._late: list[Group] = []
        self._reached = hole.start
        self._shorten = self._met = False
        self.written = 0
        self.complete = False

    @property
    def reached(self) -> int:
        """Up to here the gap is closed, or was asked for in vain."""
        return self._reached

    def take(self, group: Group) -> None:
        """Write a group if it lies in the gap; raises OSError, and what was written before stays."""
        if group.print == self._front and not self.written:
            self._zero = self._hole.before.gops[-1].at - group.media
            self._shorten = True
        at = self._zero + group.media
        if self._back and group.print == self._back:
            self._meet(group)
        elif at > self._hole.end + (UNSURE if self._back else -TOUCH):
            self.complete = True
        elif at + _length(group) > self._hole.end + TOUCH and self._hole.end == self._hole.after.start:
            # It would overlap: whether the clock placed it too late shows with the next ones.
            self._late = [*self._late, group][-MOST_LATE:]
        elif at >= self._hole.start - TOUCH or self._shorten:
            self._write(group, at, _length(group))

    def _meet(self, back: Group) -> None:
        """The first GOP behind the gap is here: what the clock placed too late ends where that begins."""
        at, fits = self._hole.end, []
        begun = self._reached - (_length(self._last) if self._last else TOUCH)
        for one in reversed(self._late):
            at -= _length(one)
            if at > begun:
                fits.append((one, at))
        for one, at in reversed(fits):
            self._write(one, at, _length(one))
        self.complete = True
        last = self._last
        self._met = last is not None and back.media - last.media - _length(last) <= SECOND // 2

    def _write(self, group: Group, at: int, length: int) -> None:
        # A GOP whose end is not known joins nothing; the next replay brings the whole of it.
        if not group.whole and not at + length >= self._hole.end:
            return
        if self._segment is None or self._apart(group) or self._over(at):
            self._next_file(group, at)
        made = self._segment
        if made is None:
            return
        body = fmp4.stamp(group.first, at) + group.body[boxes.STAMP_SIZE :]
        made.append(Batch(True, False, group.frames, at, group.first, group.end, False, body))
        self._last, self._reached = group, at + length
        self.written += len(body)

    def _over(self, at: int) -> bool:
        return self._segment is not None and at - self._segment.entry.start >= self._long * SECOND

    @property
    def _long(self) -> float:
        """Seconds of a file: so many that the numbers of the gap are enough."""
        free = max(1, self._hole.after.seq - self._seq - 2)
        return max(self._store.file_seconds, (self._hole.end - self._reached) / SECOND / free * 2)

    def _apart(self, group: Group) -> bool:
        """Whether the pictures differ, or some are missing in between."""
        last = self._last
        if last is None or (last.init, last.timescale) != (group.init, group.timescale):
            return True
        ticks = (group.first - last.first) * SECOND // group.timescale
        return abs(ticks - (group.media - last.media)) > SECOND // 2

    def _next_file(self, group: Group, at: int) -> None:
        joined = self._shorten if self._segment is None else at - self._reached <= SECOND // 2
        self.finish(at if joined else None)
        if self._disk.free() <= 0:
            raise FullError(f"{self._disk.root} has no room that recording could spare")
        if self._seq + 1 >= self._hole.after.seq:
            raise NumbersError("The gap is in more pieces than can be put into it.")
        self._seq += 1
        first = Entry(self._hole.after.channel, self._seq, at, at, 0, self._disk.root,
                      JOINED if joined else GAP, group.timescale, (), self._hole.kind,
                      source=CAMERA)  # fmt: skip
        self._segment = Segment(
            first, segment.head(group.init, group.mime, group.timescale, self._hole.kind, CAMERA)
        )

    def finish(self, at: int | None = None) -> None:
        """Make what is written durable, then known, ending at `at` if that is known."""
        made, self._segment = self._segment, None
        if made is None:
            return
        entry = made.close()
        if not entry.gops:
            entry.path.unlink(missing_ok=True)
            return
        if self._shorten:
            self._shorten = False
            _shorten(self._store, self._hole.before, entry.start)
        end = at or (self._hole.end if self.complete else entry.end)
        near = abs(end - entry.end) <= (UNSURE if self._met else SECOND // 2)
        self._store.library.note(replace(entry, end=min(end if near else entry.end, self._hole.end)))


def _length(group: Group) -> int:
    return (group.end - group.first) * SECOND // group.timescale


class NumbersError(Exception):
    """No number is left between the files around a gap."""
