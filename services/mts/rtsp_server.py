"""Live pictures for RTSP players: the camera's packets as they came."""

import asyncio
import re
import ssl

from services.media import rtsp_server
from services.media.admission import Limits
from services.media.describe import describe
from services.media.gate import Gate
from services.media.rtsp_server import TRACK
from services.media.rtsp_udp import Ports, UdpTransport
from services.mts.chunk import Channels
from services.mts.hub import Hub
from services.mts.stream import Stream
from services.mts.viewer import RelayViewer
from services.runtime.rtsp import Track
from services.runtime.rtsp_message import Message


class Connection(rtsp_server.Connection):
    """One player of one stream."""

    path = re.compile(r"/live/([^/]+)/([^/]+?)" + TRACK)

    def __init__(self, hub: Hub, gate: Gate, limits: Limits, udp: Ports | None) -> None:
        super().__init__(gate, limits)
        self.udp = udp
        self._hub = hub
        self._stream: Stream
        self._viewer: RelayViewer | None = None

    async def open(self, name: tuple[str, ...], query: dict[str, list[str]]) -> None:
        stream = self._hub.open(name[0], name[1])
        await self._hub.ready(stream)
        self._stream = stream

    @property
    def tracks(self) -> list[Track]:
        return self._stream.tracks

    @property
    def playing(self) -> bool:
        return self._viewer is not None

    async def description(self) -> bytes:
        return describe(self._stream.tracks, f"{self._stream.key[0]}/{self._stream.key[1]}")

    async def prepare(self, message: Message) -> dict[str, str]:
        return {"Range": "npt=now-"}

    def start(self) -> None:
        if self._viewer is None:
            out = (
                UdpTransport(self.udp, self.transport, self.places)
                if self.places and self.udp
                else self.transport
            )
            self._viewer = RelayViewer(out, self._stream.remove, self._channels())
            self._stream.add_relay(self._viewer)

    def stop(self) -> None:
        if self._viewer:
            self._stream.remove(self._viewer)
            if self._viewer.transport is not self.transport:
                self._viewer.transport.close()
        self._viewer = None

    def _channels(self) -> Channels | None:
        """How to renumber the camera's channels for this player; None when they fit as they are."""
        pairs = [(track.channel, wanted) for track, wanted in self.chosen.values()]
        if len(pairs) == len(self._stream.tracks) and all(ours == theirs for ours, theirs in pairs):
            return None
        return tuple((ours + rtcp, theirs + rtcp) for ours, theirs in pairs for rtcp in (0, 1))


async def listen(
    hub: Hub,
    gate: Gate,
    port: int,
    hosts: list[str] | None = None,
    kind: ssl.SSLContext | Ports | None = None,
) -> asyncio.Server:
    """Serve players on these addresses, None is every one; raises Problem when the port is taken.

    `kind`: the certificate of an encrypted port, or the sockets for UDP, which nothing would encrypt.
    """
    limits = Limits()
    udp, tls = (kind, None) if isinstance(kind, Ports) else (None, kind)
    return await rtsp_server.listen(lambda: Connection(hub, gate, limits, udp), "DSS_MTS", port, hosts, tls)
