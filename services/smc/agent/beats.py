"""This node's beat: each second, and at once when the state of a service changed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from services.runtime import clock, config
from services.runtime.bus import Bus
from services.runtime.config import Node
from services.runtime.message import beat_subject
from services.smc.agent.certificates import Certificates
from services.smc.agent.figures import Meter
from services.smc.agent.monitor import Monitor

PERIOD = 1.0

Taker = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class Beats:
    """Sends the beat over DSS_MQ; while that is away, main hands its own to `fallback`."""

    node: Node
    bus: Bus
    monitor: Monitor
    meter: Meter
    backups: Callable[[], dict[str, Any]]
    certificates: Certificates
    fallback: Taker | None = None
    _now: asyncio.Event = field(default_factory=asyncio.Event)

    def hurry(self) -> None:
        """Send the next beat at once."""
        self._now.set()

    async def run(self) -> None:
        """Beat for ever."""
        subject = beat_subject(self.node.name)
        while True:
            self._now.clear()
            beat = self.beat()
            if not await self.bus.tell(subject, beat) and self.fallback is not None:
                await self.fallback(beat)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), PERIOD)

    def _ports(self) -> dict[str, dict[str, int]]:
        """The numbers of this node's services, by service and port."""
        return {entry.id: config.load_service(entry.id).ports for entry in self.monitor.entries}

    def beat(self) -> dict[str, Any]:
        """The beat of this moment (docs/design/interfaces.md §4)."""
        # Addresses and numbers may change while the agent runs.
        node = config.load_node()
        return {
            "node": node.name,
            "role": node.role,
            "version": node.version,
            "address": node.address,
            "mapping_ip": node.mapping_ip,
            **({"addresses": node.addresses} if node.addresses else {}),
            "https_port": config.load_service("nginx").ports["https"],
            "ports": self._ports(),
            "at": clock.iso(clock.now()),
            **self.meter.host(),
            "services": self.monitor.as_list(),
            "backup": self.backups(),
            "certificates": self.certificates.held,
        }
