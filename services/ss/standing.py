"""What must outlive a restart of DSS_SS: which buttons are pressed, and until when events are recorded."""

import logging
from dataclasses import dataclass
from pathlib import Path

from services.media.plans import MOST_POST
from services.node import files

LOG = logging.getLogger(__name__)

FILE = "standing.json"
LONGEST_EVENT = 600
"""Seconds that one event may last."""


@dataclass(frozen=True)
class Order:
    """One channel: whether it is recorded by hand; seconds for which events are still recorded."""

    manual: bool
    seconds: float


class Standing:
    """Kept in the service's state directory; blocking. `now` is seconds since 1970."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE

    def recall(self, now: float) -> dict[str, Order]:
        """The orders of the last run; none, and a line in the log, where they cannot be read."""
        nothing: dict[str, dict[str, float]] = {}
        try:
            rows = files.read_json(self._path, nothing)
            return {channel: _order(row, now) for channel, row in rows.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            LOG.error("%s cannot be used, so nothing is recorded by hand: %s", self._path, error)
            return {}

    def keep(self, orders: dict[str, Order], now: float) -> None:
        """Replace what is kept; raises OSError, and the old orders stay kept then."""
        rows = {
            channel: {"manual": one.manual, "until": now + one.seconds if one.seconds else 0}
            for channel, one in orders.items()
        }
        files.write_json(self._path, rows, 0o600)


def _order(row: dict[str, float], now: float) -> Order:
    # A clock that was set meanwhile must not make an event endless.
    seconds = min(max(0.0, float(row["until"]) - now), LONGEST_EVENT + MOST_POST)
    return Order(bool(row["manual"]), seconds)
