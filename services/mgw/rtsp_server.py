"""The door for decoders: 302 from /live/<channel>/<stream>?token=… to the right DSS_MTS (RFC 2326 §11)."""

import asyncio
import re

from services.media import rtsp_server
from services.media.admission import Limits, Refusal
from services.media.gate import Gate
from services.media.rtsp_server import TRACK
from services.mgw.where import Where
from services.runtime.rtsp import Track
from services.runtime.rtsp_message import Message


class Connection(rtsp_server.Connection):
    """One decoder: it is sent on by whatever it asks once it is admitted, and nothing is ever played here."""

    path = re.compile(r"/live/([^/]+)/([^/]+?)" + TRACK)
    tracks: list[Track] = []  # noqa: RUF012 - never changed
    playing = False

    def __init__(self, where: Where, gate: Gate, limits: Limits) -> None:
        super().__init__(gate, limits)
        self._where = where

    async def open(self, name: tuple[str, ...], query: dict[str, list[str]]) -> None:
        place = await self._where.find(name[0], name[1], self._address, self.admission.user)
        raise Refusal(302, f"{name[0]} is on {place['node']}", {"Location": str(place["url"])})

    async def description(self) -> bytes:
        raise Refusal(455)

    async def prepare(self, message: Message) -> dict[str, str]:
        raise Refusal(455)

    def start(self) -> None:
        """Nothing plays here."""

    def stop(self) -> None:
        """Nothing plays here."""


async def listen(where: Where, gate: Gate, port: int, hosts: list[str] | None = None) -> asyncio.Server:
    """Serve decoders on these addresses, None is every one; raises Problem when the port is taken."""
    limits = Limits()
    return await rtsp_server.listen(lambda: Connection(where, gate, limits), "DSS_MGW", port, hosts)
