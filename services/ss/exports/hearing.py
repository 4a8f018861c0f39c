"""The sound of a piece on its way into a file: what it is, how much, and where its samples go."""

from dataclasses import dataclass

from services.ss import boxes, storage
from services.ss.boxes import Frame
from services.ss.exports.pieces import Piece
from services.ss.sound import PLAIN, Row, audio


@dataclass(frozen=True)
class Samples:
    """Samples that follow each other from `tick` on, each with its duration, in ticks of the sound."""

    tick: int
    parts: list[tuple[int, memoryview]]


class Track:
    """The sound of one piece; `audio` is None without any."""

    def __init__(self, piece: Piece) -> None:
        self.audio = audio(piece.init)
        self._piece = piece
        self._row = Row()

    @property
    def form(self) -> str:
        """How libav is to write a plain file: MP4, whose QuickTime dialect alone has G.711."""
        return "mov" if self.audio and self.audio.codec in PLAIN else "mp4"

    def count(self) -> int:
        """How many samples there are, by the heads of the fragments; raises as `boxes.parse`, and OSError."""
        if self.audio is None:
            return 0
        total = 0
        for place in self._piece.places:
            begin, size = place.bytes
            with storage.opened(place.entry) as file:
                heads = boxes.heads(file, begin, begin + size)
                total += sum(one.samples for one in heads)
        return total

    def placed(self, data: bytearray, sounds: list[Frame]) -> list[Samples]:
        """Give the sound of a GOP its times from the beginning of the piece, in `data` too."""
        if self.audio is None:
            return []
        first, rate = self._piece.places[0], self.audio.rate
        zero = first.entry.gops[first.number].tick * rate // self._piece.timescale
        kept = [self._row.put(data, one, one.tick - zero, rate) for one in sounds]
        view = memoryview(data)
        return [Samples(one.tick, boxes.sounds(view, one)) for one in kept if one]
