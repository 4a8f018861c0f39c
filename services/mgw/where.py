"""Asking the portal of this node where a stream is: it alone knows the nodes and signs tokens."""

import asyncio
from typing import Any

import aiohttp

from services.runtime import auth, config
from services.runtime.errors import Problem

CALL_SECONDS, WAIT_SECONDS, PAUSE = 8.0, 6.0, 0.3
"""A call; how long a node that is just taking over is waited for; between two questions."""
_LARGEST = 64 * 1024


class Where:
    """Questions to main's portal over loopback."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._session: aiohttp.ClientSession | None = None

    async def find(self, channel: str, stream: str, asker: str, user: str = "") -> dict[str, Any]:
        """As `services.smc.places.Place`; waits for a node that takes over. Problem 503 if there is none."""
        asked = {"channel": channel, "stream": stream, "asker": asker, "user": user}
        until = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            try:
                return await self._ask(asked)
            except Problem as problem:
                if problem.status != 503 or asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, asked: dict[str, str]) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS))
        url = f"http://127.0.0.1:{config.load_service('smc').ports['portal']}/cluster/where"
        headers = auth.bearer() | {"X-DSS-Node": self._node}
        try:
            async with self._session.post(url, json=asked, headers=headers) as answer:
                data = (
                    await answer.json(content_type=None) if (answer.content_length or 0) <= _LARGEST else None
                )
        except (aiohttp.ClientError, TimeoutError, ValueError) as reason:
            raise _silent(f"The portal of this node does not answer ({type(reason).__name__}).") from reason
        if not isinstance(data, dict) or (answer.status >= 400 and "what" not in data):
            raise _silent(f"The portal of this node answered with status {answer.status}.")
        if answer.status >= 400:
            code, what, why, remedy = (str(data.get(key, "")) for key in ("code", "what", "why", "remedy"))
            raise Problem(code, what, why, remedy, answer.status)
        return data


def _silent(why: str) -> Problem:
    return Problem("portal-away", "Where this picture is cannot be told now.", why,
                   "Try again; if it stays so, look at the service manager.", status=503)  # fmt: skip
