"""What a player asked for: where to begin, which way, how fast, and where it ends."""

from dataclasses import dataclass

from services.ss.entry import SECOND
from services.ss.reader import Place
from services.ss.video import CLOCK_RATE

ALL_PICTURES = 2.0
"""Up to this speed every picture is sent; above it, and backwards, key pictures only."""
_NEAR = 1000


@dataclass(frozen=True)
class Cursor:
    """The next picture: its GOP, its number there, and its ticks from the GOP's beginning."""

    place: Place
    number: int = 0
    tick: int = 0

    @property
    def at(self) -> int:
        """When it had come, microseconds since 1970."""
        return self.place.at + self.tick * SECOND // CLOCK_RATE


@dataclass(frozen=True)
class Order:
    """What a PLAY asks for: from where, how fast, up to which moment; `last`: nothing comes after it."""

    cursor: Cursor
    speed: float
    cut: int = 0
    end: int | None = None
    last: bool = True

    @property
    def keys(self) -> bool:
        """Whether key pictures alone are wanted."""
        return self.speed < 0 or self.speed > ALL_PICTURES

    def over(self, place: Place, at: int) -> bool:
        """Whether a picture of `place` that came at `at` lies behind the end."""
        if self.end is None:
            return False
        return place.end <= self.end if self.speed < 0 else at >= self.end


def near(cursor: Cursor, at: int) -> bool:
    """Whether a moment is that of the next picture."""
    return abs(cursor.at - at) <= _NEAR
