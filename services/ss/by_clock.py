"""GOPs for a browser that shows several channels in step: their times follow the clock by which they came."""

from services.ss import as_flac, boxes, reader, samples
from services.ss.boxes import Frame
from services.ss.entry import SECOND, Entry
from services.ss.reader import NEAR, Place
from services.ss.sound import PLAIN, Row, audio, pictures, silent

YIELD = 20
"""A GOP is stretched or squeezed by at most this part of its length, which nobody sees."""


class ByClock:
    """One reading, times counted from `origin` (microseconds since 1970); blocking, one thread at a time.

    A camera's own clock runs a little fast or slow. Put one behind the other, its GOPs would leave the time
    of day by seconds in a day, each channel by others. Here each GOP ends when the next one came. With `keys`
    a GOP is its key frame alone, shown as long as the whole GOP. With `sound` there is what was heard too.
    """

    def __init__(self, origin: int, keys: bool = False, sound: bool = False) -> None:
        self._origin = origin
        self._keys = keys
        self._sound = sound and not keys
        self._row = Row()
        self._head: tuple[tuple[str, int], boxes.Head] | None = None
        self._end: tuple[int, int] | None = None

    def head(self, entry: Entry) -> boxes.Head:
        """The beginning of a file, as it is given here; raises OSError or boxes.TornError."""
        head = self._whole(entry)
        if not self._sound:
            return silent(head)
        found = audio(head.init)
        return as_flac.beginning(head, found) if found and found.codec in PLAIN else head

    def heard(self, entry: Entry) -> str:
        """The name of the sound that was recorded, whether it is given here or not; "" for none."""
        found = audio(self._whole(entry).init)
        return found.name if found else ""

    def _whole(self, entry: Entry) -> boxes.Head:
        file = entry.channel, entry.seq
        if self._head is None or self._head[0] != file:
            self._head = file, reader.head(entry)
        return self._head[1]

    def read(self, place: Place) -> bytearray:
        """The GOP with its times written anew; raises OSError or boxes.TornError."""
        data, frames, sounds = self._some(place)
        scale = place.entry.timescale
        start, due = self._start(place, scale), self._tick(place.end, scale)
        end = max(start + 1, due) if self._keys else _fitted(start, _length(frames), due, scale)
        self._end = (end, scale)
        first = frames[0].tick
        _spread(data, frames, start, end)
        if not sounds:
            return data
        found = audio(self._whole(place.entry).init) if self._sound else None
        if found is None:
            return pictures(data, sounds)
        rate = found.rate
        placed = [
            self._row.put(data, one, (start - first) * rate // scale + one.tick, rate) for one in sounds
        ]
        return as_flac.fragments(data, [*filter(None, placed)], found) if found.codec in PLAIN else data

    def _some(self, place: Place) -> tuple[bytearray, list[Frame], list[Frame]]:
        if not self._keys:
            return reader.whole(place)
        data, frames = samples.fragments(place, 0)
        return bytearray(data[: frames[0].end]), frames[:1], []

    def _start(self, place: Place, scale: int) -> int:
        """Right behind the GOP before, or where the clock had it."""
        due = self._tick(place.at, scale)
        if self._end is None or self._end[1] != scale or abs(due - self._end[0]) > NEAR * scale // SECOND:
            return due
        return self._end[0]

    def _tick(self, moment: int, scale: int) -> int:
        return max(0, (moment - self._origin) * scale // SECOND)


def _length(frames: list[Frame]) -> int:
    return max(1, frames[-1].tick + frames[-1].duration - frames[0].tick)


def _fitted(start: int, length: int, due: int, scale: int) -> int:
    """The end of a GOP: as it is due, as far as that may be; as the camera has it before a gap."""
    if abs(due - start - length) > NEAR * scale // SECOND:
        return start + length
    slack = length // YIELD
    return max(start + length - slack, min(start + length + slack, due))


def _spread(data: bytearray, frames: list[Frame], start: int, end: int) -> None:
    """Divide the time from start to end among the pictures as it was divided before."""
    first, length = frames[0].tick, _length(frames)
    places = [start + (frame.tick - first) * (end - start) // length for frame in frames]
    for frame, tick, after in zip(frames, places, [*places[1:], end], strict=True):
        boxes.retime(data, frame, tick, max(0, after - tick))
