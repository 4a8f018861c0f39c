"""A channel as people see it: the stream that they want, and where that was not recorded, the other one."""

from collections.abc import Iterator

from services.media.plans import MAIN
from services.ss import reader, timeline, tracks
from services.ss.entry import SECOND
from services.ss.library import Library
from services.ss.reader import NEAR, Place
from services.ss.timeline import LEAST, Interval

STALLED = 10 * SECOND
"""The other stream is so far ahead (microseconds) of one that is still written: nothing comes of it."""


class Blend:
    """Finds GOPs of both tracks of a channel; blocking. The track of a place stands in its entry.

    At a border the two may overlap by a part of a GOP, so that no moment is left out.
    """

    def __init__(self, library: Library, channel: str, stream: str = MAIN) -> None:
        self._library = library
        self._wanted, self._other = tracks.keys(channel, stream)

    def find(self, moment: int) -> Place | None:
        """The GOP that holds a moment, of the wanted track if it has one, or what begins first after it."""
        wanted, other = (reader.find(self._library, key, moment) for key in (self._wanted, self._other))
        if wanted is None or other is None or _holds(wanted, moment):
            return wanted or other
        return other if _holds(other, moment) or other.at < wanted.at - LEAST else wanted

    def after(self, place: Place) -> Place | None:
        """The GOP to show next; None if there is none yet."""
        then = reader.after(self._library, place)
        if place.entry.channel == self._wanted:
            return self._instead(place, then) or then
        back = reader.find(self._library, self._wanted, place.end)
        # After a clock that was set back, what is wanted may lie long before.
        begun = back is not None and place.at < back.at <= place.end + NEAR
        return back if begun or then is None else then

    def _instead(self, place: Place, then: Place | None) -> Place | None:
        """What the other track has of a gap behind a GOP of the wanted one."""
        newest = self._library.newest(self._other)
        if newest is None or newest.end < place.end + LEAST:
            return None
        if then and not self._stalls(then, newest.end) and -NEAR < then.at - place.end < LEAST:
            return None
        if then is None and newest.end < place.end + STALLED:
            return None
        found = reader.find(self._library, self._other, place.end)
        until = then.at if then and not self._stalls(then, newest.end) else newest.end
        return found if found and found.at < until - NEAR and found.end > place.end else None

    def _stalls(self, place: Place, newest: int) -> bool:
        growing = self._library.is_open(place.entry) and place.number == len(place.entry.gops) - 1
        return growing and place.end < newest - STALLED


def _holds(place: Place, moment: int) -> bool:
    return place.at <= moment < place.end


def intervals(library: Library, channel: str, start: int, end: int) -> list[Interval]:
    """What can be shown of [start, end), microseconds: the main stream, and where that lacks the other."""
    return timeline.filled(*(of(library, key, start, end) for key in tracks.keys(channel)))


def of(library: Library, key: str, start: int, end: int) -> list[Interval]:
    """The intervals of one track."""
    files = library.within(key, start, end)
    return timeline.intervals(files, start, end, library.locks.spans(key), tracks.stream_of(key))


def spans(library: Library, channel: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """The tracks that together have all of a span, and which part of it each: first of all the main one."""
    main, sub = tracks.keys(channel)
    yield main, start, end
    found = intervals(library, channel, start, end) if library.newest(sub) else []
    parts: list[tuple[int, int]] = []
    for one in (one for one in found if one.stream != MAIN):
        # What is locked, or of another kind, is no other part.
        low = parts.pop()[0] if parts and parts[-1][1] >= one.start else one.start
        parts.append((low, one.end))
    yield from ((sub, low, high) for low, high in parts)


def recorded(library: Library, channel: str, stream: str, start: int, end: int) -> str:
    """The track to take as a whole: the wanted one if there is something of the span, else the other."""
    wanted, other = tracks.keys(channel, stream)
    return wanted if library.within(wanted, start, end) or not library.within(other, start, end) else other
