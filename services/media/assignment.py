"""What DSS_DMS of this node says: its channels, the accounts of players, and main's key for live tokens."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from services.media import ask
from services.media.gate import Gate
from services.media.players import HEADER
from services.runtime import auth
from services.runtime.health import Health

LOG = logging.getLogger(__name__)

POLL_SECONDS = 2.0
FIRST_SECONDS, FIRST_TURNS = 0.25, 120
"""After a start each moment without channels is lost footage, so DSS_DMS is asked more often for a while."""
_KEY_EVERY = 30
_MAX_BODY = 16 * 1024 * 1024
_NO_ANSWER = (OSError, TimeoutError, ValueError, KeyError, TypeError)


Rows = list[dict[str, Any]]
Take = Callable[[Rows], None]


class Assignment:
    """Follows DSS_DMS; while it is away everything goes on with the last list."""

    def __init__(self, take: Take, gate: Gate, health: Health, port: Callable[[], int]) -> None:
        """`take` gets the rows of `GET /channels` at each change; it may raise KeyError or TypeError."""
        self._take = take
        self._gate = gate
        self._health = health
        self._port = port
        self._last: Rows | None = None
        self._said = b""
        self._players = ""

    async def follow(self) -> None:
        """Poll until cancelled."""
        for turn in range(2**62):
            await self._turn(turn)
            knows = self._last is not None and self._gate.public_key is not None
            await asyncio.sleep(POLL_SECONDS if knows or turn > FIRST_TURNS else FIRST_SECONDS)

    async def _turn(self, turn: int) -> None:
        try:
            await self._channels()
            self._health.set("dms", True)
        except _NO_ANSWER as reason:
            remark = "All goes on with its last list." if self._last is not None else ""
            self._health.set("dms", self._last is not None, f"{_said(reason)} {remark}".strip())
        self._gate.players.sweep()
        if self._gate.public_key is None or turn % _KEY_EVERY == 0:
            await self._key()

    async def _key(self) -> None:
        """Main's key; an old one stays in force when it cannot be asked for."""
        try:
            self._gate.public_key = (await self._get("/media-key")).decode()
        except _NO_ANSWER as reason:
            LOG.info("no key for tokens: %s", reason)
        known = self._gate.public_key is not None
        self._health.set("media-key", known, "" if known else "Nobody can watch until main's key has come.")

    async def _channels(self) -> None:
        head, said = await ask.whole(self._port(), "/channels", auth.bearer(), POLL_SECONDS, _MAX_BODY)
        if (tag := ask.header(head, HEADER)) != self._players:
            self._gate.players.take(json.loads(await self._get("/players")))
            self._players = tag
        if said == self._said:
            return
        rows = json.loads(said)
        if rows != self._last:
            self._take(rows)
            LOG.info("%d channels are assigned", len(rows))
            self._last = rows
        self._said = said

    async def _get(self, path: str) -> bytes:
        return await ask.get(self._port(), path, auth.bearer(), POLL_SECONDS, _MAX_BODY)


def _said(reason: Exception) -> str:
    return f"DSS_DMS does not answer as it should ({type(reason).__name__}: {reason})."
