"""A span of a recording as one MP4 file, whose size and duration are known before the first byte."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from services.media.plans import MAIN
from services.runtime.errors import Problem
from services.ss import blend, reader, tracks
from services.ss.boxes import TornError
from services.ss.entry import SECOND
from services.ss.library import Library
from services.ss.reader import Place, Reader
from services.ss.sound import audio, without

LONGEST = 6 * 3600 * SECOND


@dataclass(frozen=True)
class Clip:
    """What will be sent: begins with the key frame at or before the wanted start."""

    places: tuple[Place, ...]
    init: bytes
    start: int
    end: int
    size: int
    missing: int
    stream: str = MAIN

    @property
    def duration(self) -> float:
        """Seconds, gaps included: the picture stands still in them."""
        return (self.end - self.start) / SECOND


def plan(library: Library, channel: str, start: int, end: int, stream: str = MAIN) -> Clip:
    """Find all of [start, end), microseconds; Problem if there is nothing, or nothing that fits one file.

    It is of one stream: the other one where of that which is wanted there is nothing.
    """
    if not 0 <= start < end <= start + LONGEST:
        raise _refused(
            "clip-span", "The span cannot be used.", "It must be longer than 0 and at most 6 hours.", 422
        )
    track = blend.recorded(library, channel, stream, start, end)
    wanted = list(reader.places(library, track, start, end))
    heads = {seq: reader.init_of(entry) for seq, entry in {p.entry.seq: p.entry for p in wanted}.items()}
    # What retention took since the list was made is left out, as if it had gone before.
    found = tuple(place for place in wanted if heads[place.entry.seq])
    if not found:
        why = reader.unreadable(wanted) or "Nothing is recorded in this span."
        raise _refused("clip-empty", "There is nothing to download.", why, 404)
    if (init := _common({head for head in heads.values() if head})) is None:
        raise _refused("clip-mixed", "This span does not fit one file.",
                       "The camera's format changed in it.", 409)  # fmt: skip
    backwards = any(b.at < a.at for a, b in pairwise(found))
    if backwards:
        raise _refused("clip-clock", "This span does not fit one file.", "The clock was set back in it.", 409)
    held = sum(place.end - place.at for place in found)
    begin, stop = found[0].at, found[-1].end
    size = len(init) + sum(place.bytes[1] for place in found)
    return Clip(found, init, begin, stop, size, max(0, stop - begin - held), tracks.stream_of(track))


def _common(inits: set[bytes]) -> bytes | None:
    """What fits all files: pictures of one format, and sound of one where there is some; None if nothing."""
    try:
        loud = {init for init in inits if audio(init)}
    except TornError:
        return None
    return (loud or inits).pop() if len({without(init) for init in inits}) == 1 and len(loud) < 2 else None


def parts(clip: Clip) -> Iterator[bytes]:
    """The file, piece by piece; OSError or boxes.TornError if some of it was deleted meanwhile."""
    yield clip.init
    one = Reader(clip.start)
    for place in clip.places:
        yield bytes(one.read(place))


def _refused(code: str, what: str, why: str, status: int) -> Problem:
    return Problem(code, what, why, "Choose another span on the timeline.", status=status)
