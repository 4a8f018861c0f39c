"""A camera that sends by UDP: its datagrams become the interleaved bytes that the intake reads."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.media import rtsp_udp
from services.mts.chunk import DOLLAR, RTP
from services.mts.reorder import Reorder
from services.runtime import rtsp, rtsp_message
from services.runtime.rtsp import Client, RtspError
from services.runtime.rtsp_message import MalformedError, Message
from services.runtime.sdp import Media

PATIENCE = 0.1
"""Seconds that a packet is held back for one that is missing before it."""
_BUFFER = 4 * 1024 * 1024
_HOLE = RTP.pack(0x80, 0, 0, 0, 0)
_NOTHING_HEARD = bytes((0x80, 201, 0, 1)) + b"DSS "


@dataclass
class Lane:
    """One track: two sockets next to each other, RTP and RTCP, and where the camera has its own."""

    sockets: tuple[socket.socket, socket.socket]
    channel: int = 0
    camera: tuple[str, int] = ("", 0)
    transports: list[asyncio.DatagramTransport] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Give the ports back."""
        for transport in self.transports:
            transport.close()
        for one in self.sockets if not self.transports else ():
            one.close()


class Datagrams:
    """The UDP side of one camera; `begin` starts it, `close` gives its ports back."""

    def __init__(self) -> None:
        self._lanes: list[Lane] = []
        self._push: Callable[[bytes], None] = lambda _: None
        self._timer: asyncio.TimerHandle | None = None
        self._reorders: list[Reorder] = []

    async def setup(self, client: Client, media: Media) -> None:
        """Ask the camera for one track; raises RtspError."""
        ours, theirs = client.ends
        lane = Lane(_opened(ours))
        try:
            track, port = await client.setup_udp(media, lane.port)
        except BaseException:
            lane.close()
            raise
        lane.channel, lane.camera = track.channel, (theirs, port)
        self._lanes.append(lane)

    async def begin(self, push: Callable[[bytes], None]) -> None:
        """Hand interleaved bytes to `push` from now on."""
        self._push = push
        loop = asyncio.get_running_loop()
        for lane in self._lanes:
            reorder = Reorder(self._interleaved(lane.channel))
            self._reorders.append(reorder)
            takes = (self._rtp(reorder), self._interleaved(lane.channel + 1))
            for number, (one, take) in enumerate(zip(lane.sockets, takes, strict=True)):
                camera = (lane.camera[0], lane.camera[1] + number if lane.camera[1] else 0)
                transport, _ = await loop.create_datagram_endpoint(partial(_Port, take, camera), sock=one)
                lane.transports.append(transport)
        self.punch()

    def punch(self) -> None:
        """Open the way through this node's firewall, which lets in what answers something sent."""
        for lane in self._lanes:
            host, port = lane.camera
            for number, transport in enumerate(lane.transports if port else ()):
                transport.sendto((_HOLE, _NOTHING_HEARD)[number], (host, port + number))

    def report(self, channel: int, packet: bytes) -> None:
        """Send RTCP about one track."""
        for lane in self._lanes:
            if lane.channel == channel and lane.camera[1] and lane.transports:
                lane.transports[1].sendto(packet, (lane.camera[0], lane.camera[1] + 1))

    def close(self) -> None:
        """Give the ports back."""
        if self._timer:
            self._timer.cancel()
        for lane in self._lanes:
            lane.close()
        self._lanes.clear()

    def _interleaved(self, channel: int) -> Callable[[bytes], None]:
        head = bytes((DOLLAR, channel))
        return lambda packet: self._push(head + len(packet).to_bytes(2, "big") + packet)

    def _rtp(self, reorder: Reorder) -> Callable[[bytes], None]:
        def take(packet: bytes) -> None:
            reorder.take(packet)
            if reorder.waits and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._late)

        return take

    def _late(self) -> None:
        self._timer = None
        for reorder in self._reorders:
            reorder.give_up()


class _Port(asyncio.DatagramProtocol):
    """Takes what the camera sends, and nothing of anybody else."""

    def __init__(self, take: Callable[[bytes], None], camera: tuple[str, int]) -> None:
        self._take = take
        self._host = ipaddress.ip_address(camera[0].partition("%")[0])
        self._port = camera[1]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        same = ipaddress.ip_address(str(addr[0]).partition("%")[0]) == self._host
        if same and self._port in (0, addr[1]):
            self._take(data)


class Control(asyncio.Protocol):
    """The RTSP connection beside the datagrams: answers go to `on_message`, its end to `on_lost`."""

    def __init__(
        self, on_message: Callable[[Message], None], on_lost: Callable[[Exception | None], None]
    ) -> None:
        self._buffer = bytearray()
        self._on_message = on_message
        self._on_lost = on_lost

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while message := rtsp_message.take(self._buffer):
                self._on_message(message)
        except MalformedError as reason:
            self._on_lost(reason)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(exc)


def _opened(host: str) -> tuple[socket.socket, socket.socket]:
    try:
        first, second = rtsp_udp.pair(host)
    except OSError as reason:
        raise RtspError(rtsp.UNREACHABLE, f"The camera sends by UDP alone, but {reason}.") from reason
    first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return first, second
