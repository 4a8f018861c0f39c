"""RTP by UDP towards players: paced, bounded, and to nobody but the player itself.

All players of one local address share two sockets, whatever their number. The node's firewall needs no
opening: the relay sends first, and what a player reports comes back the same way.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections import deque
from time import monotonic

from services.media.interleaved import packets

BURST = 64 * 1024
PAUSE = 0.004
"""Bytes that leave at once, and seconds between two bursts, so that a key frame overruns no player."""
_BUFFER = 4 * 1024 * 1024
_TRIES = 50
_READ_AT_ONCE = 64
_LOWEST = 1024
_OFFER = re.compile(r"RTP/AVP(/UDP)?\s*;.*", re.IGNORECASE)
_CLIENT_PORT = re.compile(r"client_port\s*=\s*(\d{4,5})(?!\d)", re.IGNORECASE)
Peer = tuple[str, int]


def near(address: str) -> bool:
    """Whether a player is on a local network; others are behind routers that map no UDP."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_private
    except ValueError:
        return False


def wanted_port(offer: str) -> int | None:
    """The even port of a player that offers to take RTP by UDP, unicast; None for another offer."""
    found = _OFFER.fullmatch(offer.strip())
    pair = _CLIENT_PORT.search(offer)
    if found is None or pair is None or "multicast" in offer.lower():
        return None
    port = int(pair[1])
    return port if _LOWEST <= port < 65535 else None


class Ports:
    """The two sockets of each local address, made when first wanted, and when which player was heard."""

    def __init__(self) -> None:
        self._pairs: dict[str, tuple[socket.socket, socket.socket]] = {}
        self._heard: dict[Peer, float] = {}

    def pair(self, host: str) -> tuple[socket.socket, socket.socket]:
        """RTP and RTCP of a local address; raises OSError."""
        if host not in self._pairs:
            made = pair(host)
            for one in made:
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                asyncio.get_running_loop().add_reader(one, self._read, one)
            self._pairs[host] = made
        return self._pairs[host]

    def expect(self, peer: Peer) -> None:
        """Remember when this player is heard."""
        self._heard[peer] = monotonic()

    def forget(self, peer: Peer) -> None:
        self._heard.pop(peer, None)

    def silent(self, peer: Peer) -> float:
        """Seconds since this player was heard."""
        return monotonic() - self._heard.get(peer, 0.0)

    def close(self) -> None:
        """Give the ports back."""
        for one in (one for both in self._pairs.values() for one in both):
            asyncio.get_running_loop().remove_reader(one)
            one.close()
        self._pairs.clear()

    def _read(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for _ in range(_READ_AT_ONCE):
                _, peer = one.recvfrom(2048)
                if (known := (peer[0], peer[1])) in self._heard:
                    self._heard[known] = monotonic()


class UdpTransport(asyncio.Transport):
    """Takes interleaved bytes and sends each packet to the player's port for that channel."""

    def __init__(self, ports: Ports, connection: asyncio.Transport, places: dict[int, int]) -> None:
        """`places`: the player's UDP port by channel; its address is that of its connection."""
        super().__init__()
        self._connection = connection
        self._sockets = ports.pair(connection.get_extra_info("sockname")[0])
        self._host = connection.get_extra_info("peername")[0]
        self._places = places
        self._queue: deque[tuple[int, memoryview]] = deque()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        for channel, packet in packets(data):
            if channel in self._places:
                self._queue.append((channel, packet))
                self._size += len(packet)
        if self._timer is None:
            self._pump()

    def get_write_buffer_size(self) -> int:
        return self._size

    def is_closing(self) -> bool:
        return self._connection.is_closing()

    def abort(self) -> None:
        self.close()
        self._connection.abort()

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer:
            self._timer.cancel()
        self._timer = None
        self._queue.clear()
        self._size = 0

    def _pump(self) -> None:
        self._timer = None
        left = BURST
        while self._queue and left > 0:
            channel, packet = self._queue.popleft()
            self._size -= len(packet)
            left -= len(packet)
            # What the network does not take now is lost, as any datagram may be.
            with contextlib.suppress(OSError):
                self._sockets[channel & 1].sendto(packet, (self._host, self._places[channel]))
        if self._queue:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._pump)


def pair(host: str) -> tuple[socket.socket, socket.socket]:
    """UDP sockets on an even port and the next one (RFC 3550 §11); raises OSError when none are free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_TRIES):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        with contextlib.suppress(OSError):
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        first.close()
        second.close()
    raise OSError(f"{host} has no two free UDP ports next to each other")
