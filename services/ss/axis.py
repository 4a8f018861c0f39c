"""From recorded time to the time a player sees: one line for each PLAY, and the RTP clock never goes back."""

from dataclasses import dataclass

from services.ss.video import CLOCK_RATE

_PREROLL = 100


@dataclass(frozen=True)
class Axis:
    """Recorded ticks (90 kHz, from the first picture of this PLAY) to the ticks of the RTP session.

    What lies before `cut` is only there to decode what follows: it is given at a hundredth of its time.
    """

    zero: int
    speed: float
    cut: int = 0

    def show(self, ticks: int) -> int:
        """When a recorded tick is shown."""
        hurried = max(0, min(ticks, self.cut))
        return self.zero + hurried // _PREROLL + round((ticks - hurried) / abs(self.speed))


class Pace:
    """Says how long to wait; what is late by more than a second is not made up."""

    def __init__(self, now: float, ticks: int) -> None:
        self._begin = now - ticks / CLOCK_RATE

    def wait(self, now: float, ticks: int) -> float:
        """Seconds until `ticks` is due; 0 when it is."""
        left = self._begin + ticks / CLOCK_RATE - now
        if left < -1:
            self._begin -= left
        return max(0.0, left)
