"""Main tells its nodes where it is, after each change of its numbers or address, until all have heard."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from services.runtime import config
from services.runtime.errors import Problem
from services.runtime.http import HTTPS, Peers, join_host_port
from services.smc import nodes, store

LOG = logging.getLogger(__name__)
PERIOD = 2.0


@dataclass
class Follow:
    """Remembers what each node has taken; a node that was away is told when it answers again."""

    peers: Peers
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def run(self) -> None:
        """Tell whoever does not know, for ever."""
        while True:
            own = here()
            try:
                found = await asyncio.to_thread(_enabled)
            except Problem:
                found = []
            late = [(name, address) for name, address in found if self.told.get(name) != own]
            await asyncio.gather(*(self._tell(name, address, own) for name, address in late))
            await asyncio.sleep(PERIOD)

    async def _tell(self, name: str, address: str, own: dict[str, Any]) -> None:
        # From here on the node may know this or what it knew before, also when its answer gets lost.
        self.told.pop(name, None)
        try:
            answer = await self.peers.post(address, "smc", "/center", own)
        except Problem as problem:
            LOG.debug("%s was not told where main is: %s", name, problem)
            return
        # Only when the node says that it is so already has it been carried out.
        if answer.data.get("same"):
            self.told[name] = own


def here() -> dict[str, Any]:
    """Address and numbers by which this main is reached by its nodes."""
    ports = {"nginx.https": config.load_service("nginx").ports["https"]}
    ports["mq.leaf"] = config.load_service("mq").ports["leaf"]
    return {"address": config.load_node().address, "ports": ports}


def _enabled() -> list[tuple[str, str]]:
    with store.session() as session:
        own = config.load_node().name
        listed = [one for one in nodes.listing(session) if one.name != own and one.state == "enabled"]
    return [(one.name, join_host_port(one.address, one.beat.get("https_port", HTTPS))) for one in listed]
