"""The certificates of this node for its beat, looked at again whenever a file changes.

Another process reads them: what that needs in memory would stay in the agent for good.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.runtime import config, tls
from services.smc.agent import child

LOG = logging.getLogger(__name__)
SECONDS = 30.0
COMMAND = (sys.executable, "-I", "-m", "services.node", "certificate", "list", "--json")


@dataclass
class Certificates:
    """What services/node/held.py tells; None until it was asked."""

    changed: Callable[[], None] = lambda: None
    held: list[dict[str, Any]] | None = None
    _seen: tls.Stamp = field(default=())

    async def run(self) -> None:
        """Look for ever; a failure is tried again at the next look."""
        while True:
            if (now := self._stamp()) != self._seen and (found := await _ask()) is not None:
                self.held, self._seen = found, now
                self.changed()
            await asyncio.sleep(tls.LOOK_SECONDS)

    @staticmethod
    def _stamp() -> tls.Stamp:
        return tls.stamp(
            config.pki("ca.pem"), config.pki("node.pem"), config.root() / "portal-certificate.json"
        )


async def _ask() -> list[dict[str, Any]] | None:
    try:
        ended = await child.run(COMMAND, SECONDS)
        if ended.status == 0:
            found: list[dict[str, Any]] = json.loads(ended.out)
            return found
        why = ended.errors[-500:]
    except TimeoutError:
        why = f"that took more than {SECONDS:.0f} seconds"
    except (OSError, ValueError) as error:
        why = str(error)
    LOG.warning("the certificates cannot be read: %s", why)
    return None
