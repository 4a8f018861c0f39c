"""Bounds on connections that nobody has logged in to yet, so that strangers cannot use the door up."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from services.runtime import clock

WINDOW = 60.0


@dataclass
class Limits:
    """At most `total` unproved connections; of one source `per_address`, and `per_minute` new ones."""

    total: int = 256
    per_address: int = 16
    per_minute: int = 120
    now: Callable[[], float] = clock.monotonic
    _open: Counter[str] = field(default_factory=Counter)
    _new: Counter[str] = field(default_factory=Counter)
    _since: float = float("-inf")

    def enter(self, address: str) -> bool:
        """Take a place; False when there is none, and then nothing has to be given back."""
        source = _source(address)
        if self.now() - self._since >= WINDOW:
            self._new.clear()
            self._since = self.now()
        if self._open.total() >= self.total or self._open[source] >= self.per_address:
            return False
        if self._new[source] >= self.per_minute or len(self._new) > 64 * self.total:
            return False
        self._new[source] += 1
        self._open[source] += 1
        return True

    def leave(self, address: str) -> None:
        """Give a place back."""
        source = _source(address)
        self._open[source] -= 1
        if self._open[source] <= 0:
            del self._open[source]


def _source(address: str) -> str:
    """Whom to count: an IPv6 neighbour has a whole /64 to come from."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
