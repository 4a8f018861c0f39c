"""Why a channel is recorded at a moment: its plan, the events that came, and the button somebody pressed."""

from dataclasses import dataclass, field
from datetime import datetime

from services.media.plans import CONTINUOUS, EVENT, MANUAL, OFF, Plan


@dataclass
class Demand:
    """One channel. `now` has a zone, `tick` is monotonic seconds, so that a set clock ends no event.

    `until`: the tick at which the recording of events ends, None without any.
    """

    plan: Plan = field(default_factory=Plan)
    manual: bool = False
    until: float | None = None

    def follow(self, plan: Plan) -> None:
        """The plan has changed: what it does not know of ends."""
        self.plan = plan
        self.manual = self.manual and plan.mode != OFF
        self.until = None if plan.mode in (OFF, MANUAL) else self.until

    def kind(self, now: datetime, tick: float) -> str | None:
        """What is to be written now: continuous before manual before event; None for nothing."""
        self._settle(tick)
        if self.plan.at(now) == CONTINUOUS:
            return CONTINUOUS
        if self.manual:
            return MANUAL
        return EVENT if self.until is not None else None

    def listens(self, now: datetime, tick: float) -> bool:
        """Whether the stream must be taken: it is written, or an event may come."""
        return self.kind(now, tick) is not None or self.plan.at(now) == EVENT

    def happened(self, now: datetime, tick: float, seconds: float) -> bool:
        """An event that lasts so long; False where the plan asks for nothing now.

        It is recorded to its end and `post` seconds more, even where the plan's time for it is over before.
        """
        self._settle(tick)
        if self.plan.at(now) is None and self.until is None:
            return False
        self.until = max(self.until or 0.0, tick + seconds + self.plan.post)
        return True

    def _settle(self, tick: float) -> None:
        if self.until is not None and tick >= self.until:
            self.until = None
