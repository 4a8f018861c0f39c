"""Getting the assignment from main, and working from the last one while main is away."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.dms import devices
from services.dms.devices import Assignment
from services.node import files
from services.runtime import clock
from services.runtime.config import Node
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.runtime.http import Peers, center_address

LOG = logging.getLogger(__name__)

PERIOD = 2.0
NOTHING = Assignment(False, "", ())


@dataclass
class Poller:
    """Asks main every two seconds; `changed` gets each new assignment."""

    node: Node
    peers: Peers
    health: Health
    file: Path
    changed: Callable[[Assignment], None]
    current: Assignment = NOTHING
    _etag: str = ""
    _heard_at: str = ""

    def recall(self) -> None:
        """Take up the assignment of the last run, if there was one."""
        try:
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            current = devices.read(kept["assignment"])
            self._etag, self._heard_at = str(kept["etag"]), str(kept["at"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("the kept assignment cannot be used and is asked for again: %s", error)
            return
        self._accept(current)

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            try:
                await self._ask()
                self.health.set("assignment", True)
            except (Problem, ValueError, OSError) as error:
                # The devices go on without main: a remark, not a fault.
                since = f" since {self._heard_at}" if self._heard_at else ""
                self.health.set("assignment", True, f"main has given no assignment{since}: {error}")
            await asyncio.sleep(PERIOD)

    async def _ask(self) -> None:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        answer = await self.peers.get(center_address(self.node), "portal", "/assignment", headers)
        self._heard_at = clock.iso(clock.now())
        if answer.status == 304:
            return
        current = devices.read(answer.data)
        etag = answer.headers.get("ETag", "")
        await asyncio.to_thread(self._keep, answer.data, etag)
        self._etag = etag
        self._accept(current)

    def _accept(self, current: Assignment) -> None:
        self.current = current
        LOG.info("%d devices are assigned to this node", len(current.devices))
        self.changed(current)

    def _keep(self, data: Any, etag: str) -> None:  # noqa: ANN401 - what main sent
        kept = {"etag": etag, "at": self._heard_at, "assignment": data}
        files.write(self.file, json.dumps(kept), 0o600)
