"""What DSS_DMS of this node says: which devices register by themselves."""

import asyncio
import logging

import aiohttp

from services.ars.registry import Registration, Registry
from services.runtime import auth, config
from services.runtime.health import Health

LOG = logging.getLogger(__name__)

PERIOD = 2.0
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError)


class Assignment:
    """Follows DSS_DMS; while it is away everything goes on with the last list."""

    def __init__(self, registry: Registry, health: Health) -> None:
        self._registry, self._health = registry, health
        self._last: list[Registration] | None = None

    async def follow(self) -> None:
        """Ask for ever."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PERIOD)) as session:
            while True:
                await self._turn(session)
                await asyncio.sleep(PERIOD)

    async def _turn(self, session: aiohttp.ClientSession) -> None:
        try:
            found = await self._ask(session)
        except _NO_ANSWER as reason:
            why = f"DSS_DMS does not answer as it should ({type(reason).__name__}: {reason})."
            known = self._last is not None
            self._health.set("dms", known, f"{why} Devices stay with its last list." if known else why)
            return
        self._health.set("dms", True)
        if found != self._last:
            LOG.info("%d devices may register here", len(found))
            self._last = found
            self._registry.assign(found)

    async def _ask(self, session: aiohttp.ClientSession) -> list[Registration]:
        url = f"http://127.0.0.1:{config.load_service('dms').ports['http']}/registrations"
        async with session.get(url, headers=auth.bearer()) as answer:
            answer.raise_for_status()
            rows = await answer.json()
        return [Registration(**{key: str(row[key]) for key in _FIELDS}) for row in rows]


_FIELDS = ("device", "register_id", "username", "password", "changed_at")
