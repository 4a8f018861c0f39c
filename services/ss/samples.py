"""The pictures and the sound of a GOP, taken out of the file as they were recorded; blocking."""

from dataclasses import dataclass

from services.ss import boxes, storage
from services.ss.boxes import Frame, TornError
from services.ss.reader import Place
from services.ss.video import CLOCK_RATE

SLICE = 256 * 1024
"""How much is read at once: many players may be served from little memory."""


@dataclass(frozen=True)
class Sample:
    """A picture: its decode time from the GOP's beginning and presentation offset, in ticks of 90 kHz."""

    tick: int
    shift: int
    duration: int
    units: list[memoryview]


@dataclass(frozen=True)
class Heard:
    """Sound from `tick` of its own track on, samples with their durations; `begin`: the GOP's, in 90 kHz."""

    tick: int
    begin: int
    samples: list[tuple[int, memoryview]]


def key(place: Place) -> Sample:
    """The key picture of a GOP; raises as `read`."""
    data, frames = fragments(place, 0)
    return _sample(data, frames[0], frames[0].tick, place.entry.timescale)


def read(place: Place, offset: int, keys: bool = False) -> tuple[list[Sample | Heard], int | None]:
    """Some pictures and sound from `offset` of a GOP on, and the offset of the next ones; None at its end.

    With `keys` its key picture alone. Raises OSError, or boxes.TornError if the file is not as it was.
    """
    data, frames = fragments(place, offset)
    frames = frames[:1] if keys else frames
    zero, scale = place.entry.gops[place.number].tick, place.entry.timescale
    after = offset + frames[-1].end
    begin, view = zero * CLOCK_RATE // scale, memoryview(data)
    found: list[Sample | Heard] = [
        Heard(frame.tick, begin, boxes.sounds(view, frame)) if frame.samples
        else _sample(data, frame, zero, scale)
        for frame in frames
    ]  # fmt: skip
    return found, None if keys or after >= place.bytes[1] else after


def fragments(place: Place, offset: int) -> tuple[bytes, list[Frame]]:
    """Whole fragments from `offset` of a GOP on, as many as one slice holds, or one that is longer."""
    begin, size = place.bytes
    wanted, left = SLICE, size - offset
    with storage.opened(place.entry) as file:
        while True:
            data = file.read(min(wanted, left), begin + offset)
            if len(data) < min(wanted, left):
                raise TornError(f"{place.entry.path} is shorter than it was")
            if frames := _whole(data, whole=wanted >= left):
                return data, frames
            wanted *= 4


def _whole(data: bytes, whole: bool) -> list[Frame]:
    """The fragments that are complete; TornError if the bytes are to be whole and are not."""
    frames: list[Frame] = []
    try:
        frames.extend(boxes.parse(data))
    except TornError as error:
        if whole:
            raise TornError(f"not whole: {error}") from error
    return frames


def _sample(data: bytes, frame: Frame, zero: int, timescale: int) -> Sample:
    shift, picture = boxes.sample(memoryview(data), frame)
    ticks, shown, lasts = (
        value * CLOCK_RATE // timescale for value in (frame.tick - zero, shift, frame.duration)
    )
    return Sample(ticks, shown, lasts, units(picture))


def units(sample: memoryview) -> list[memoryview]:
    """The NAL units of a picture; TornError if they do not fill it."""
    found, position = [], 0
    while position + 4 <= len(sample):
        end = position + 4 + int.from_bytes(sample[position : position + 4], "big")
        if not position + 4 < end <= len(sample):
            raise TornError("a picture is not whole")
        found.append(sample[position + 4 : end])
        position = end
    return found
