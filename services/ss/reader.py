"""Reading recordings GOP by GOP, as recorded and across files, with decode times made to fit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from services.ss import boxes, storage
from services.ss.boxes import Head
from services.ss.entry import SECOND, Entry
from services.ss.library import Library
from services.ss.sealing import KeyMissingError
from services.ss.sound import Row, sound_rate

NEAR = SECOND // 2
"""A GOP that begins this close to the end of the one before is put right behind it (microseconds)."""


@dataclass(frozen=True)
class Place:
    """A GOP of a file, by its number."""

    entry: Entry
    number: int

    @property
    def at(self) -> int:
        """When it had come, microseconds since 1970."""
        return self.entry.gops[self.number].at

    @property
    def end(self) -> int:
        """Where it ends: at the next one's beginning, or at the file's end."""
        gops = self.entry.gops
        return gops[self.number + 1].at if self.number + 1 < len(gops) else self.entry.end

    @property
    def bytes(self) -> tuple[int, int]:
        """Offset and size in the file."""
        gops = self.entry.gops
        begin = gops[self.number].offset
        end = gops[self.number + 1].offset if self.number + 1 < len(gops) else self.entry.size
        return begin, end - begin


def find(library: Library, channel: str, moment: int) -> Place | None:
    """The GOP that holds a moment, or what begins first after it; None behind the newest picture."""
    entry = library.find(channel, moment)
    if entry is None:
        return None
    later = (n for n, gop in enumerate(entry.gops) if gop.at > moment)
    return Place(entry, max(0, next(later, len(entry.gops)) - 1))


def after(library: Library, place: Place) -> Place | None:
    """The GOP recorded next; None if there is none yet."""
    now = library.again(place.entry)
    if now and place.number + 1 < len(now.gops):
        return Place(now, place.number + 1)
    entry = library.following(place.entry.channel, place.entry.seq)
    return Place(entry, 0) if entry else None


def before(library: Library, place: Place) -> Place | None:
    """The GOP recorded before it; None if there is none."""
    if place.number:
        return Place(place.entry, place.number - 1)
    entry = library.preceding(place.entry.channel, place.entry.seq)
    return Place(entry, len(entry.gops) - 1) if entry else None


def current(library: Library, place: Place) -> Place:
    """The GOP as it is known now; the same if it was deleted."""
    now = library.again(place.entry)
    return Place(now, place.number) if now and place.number < len(now.gops) else place


def apart(earlier: Place, later: Place) -> float:
    """Seconds from the beginning of a GOP to that of the next one, without the gap that may lie between."""
    lasts = (earlier.end - earlier.at) / SECOND
    ticks = later.entry.gops[later.number].tick - earlier.entry.gops[earlier.number].tick
    media = ticks / earlier.entry.timescale
    same = earlier.entry.timescale == later.entry.timescale
    # The camera's own clock is exact where both belong to one run of it.
    return media if same and media > 0 and abs(media - lasts) * SECOND <= NEAR else max(0.0, lasts)


def settled(library: Library, place: Place) -> Place | None:
    """The GOP as it is now; None while more of it is being recorded. FileNotFoundError if it was deleted."""
    now = library.again(place.entry)
    if now is None or place.number >= len(now.gops):
        raise FileNotFoundError(place.entry.path)
    growing = library.is_open(now) and place.number == len(now.gops) - 1
    return None if growing else Place(now, place.number)


def whole(place: Place) -> tuple[bytearray, list[boxes.Frame], list[boxes.Frame]]:
    """A GOP as it was recorded, its pictures and its sound; raises OSError or boxes.TornError."""
    offset, size = place.bytes
    with storage.opened(place.entry) as file:
        data = bytearray(file.read(size, offset))
    if not size or len(data) != size:
        raise boxes.TornError(f"{place.entry.path} is shorter than it was")
    return data, *boxes.split(data)


def head(entry: Entry) -> Head:
    """The beginning of a file; raises OSError or boxes.TornError."""
    with storage.opened(entry) as file:
        return boxes.head(file)


def init_of(entry: Entry) -> bytes | None:
    """The init segment of a file; None if it was deleted meanwhile, or is not as it was."""
    try:
        return head(entry).init
    except (OSError, boxes.TornError):
        return None


def unreadable(wanted: Iterable[Place]) -> str:
    """That the first of some GOPs needs a key which is lost, as a sentence; "" for any other or no reason."""
    try:
        for place in islice(wanted, 1):
            head(place.entry)
    except KeyMissingError as error:
        return f"{error}."
    except (OSError, boxes.TornError):
        pass
    return ""


class Reader:
    """One reading: gives GOPs whose times count from `origin`; blocking, one thread at a time."""

    def __init__(self, origin: int) -> None:
        self._origin = origin
        self._end: int | None = None
        self._end_tick = 0
        self._timescale = 0
        self._row = Row()
        self._rates: tuple[tuple[str, int], int] = ("", 0), 0

    def read(self, place: Place) -> bytearray:
        """The GOP with its times written anew: right behind the one before, or where the clock had it."""
        data, frames, sounds = whole(place)
        scale = place.entry.timescale
        base = (place.at - self._origin) * scale // SECOND
        if self._end is not None and scale == self._timescale and abs(place.at - self._end) <= NEAR:
            base = self._end_tick
        shift = max(0, base) - frames[0].tick
        for frame in frames:
            boxes.retime(data, frame, frame.tick + shift)
        for one in sounds:
            rate = self._rate(place.entry)
            self._row.put(data, one, one.tick + shift * rate // scale, rate)
        last = frames[-1]
        self._timescale, self._end_tick = scale, last.tick + last.duration + shift
        self._end = place.at + (last.tick + last.duration - frames[0].tick) * SECOND // scale
        return data

    def _rate(self, entry: Entry) -> int:
        """Ticks of the sound of a file in a second."""
        if self._rates[0] != (file := (entry.channel, entry.seq)):
            self._rates = file, sound_rate(head(entry).init)
        return self._rates[1]

    @property
    def end_tick(self) -> int:
        """Where the last GOP ended, in ticks from the origin."""
        return self._end_tick


def places(library: Library, channel: str, start: int, end: int) -> Iterator[Place]:
    """Every GOP that has something of [start, end), in the order of recording."""
    for entry in library.within(channel, start, end):
        for number in range(len(entry.gops)):
            place = Place(entry, number)
            if place.at < end and place.end > start:
                yield place
