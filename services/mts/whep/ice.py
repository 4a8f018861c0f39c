"""ICE lite (RFC 8445 §2.5) for many sessions on one UDP port.

A browser names its session in USERNAME and proves with the password that it has the answer. From then on
its address belongs to that session, and nothing is ever sent to an address that has not proved itself.
"""

import asyncio
import logging
import secrets
import socket
from collections import deque
from time import monotonic

from aioice import stun

from services.mts.whep.door import Door, Peer

LOG = logging.getLogger(__name__)

SILENCE = 20.0
"""Seconds without a valid check until a session is dead; browsers check each 2.5 s (RFC 7675)."""
BURST = 32 * 1024
PAUSE = 0.003
"""Bytes that leave at once and seconds between, so that a key frame overruns no browser."""
_READ_AT_ONCE = 64
_MAX_ADDRESSES = 16
_MAX_WAITING = 256
_COOKIE = stun.COOKIE.to_bytes(4, "big")


class Lite:
    """One session's way; `_send` and `_recv` are what aiortc's DTLS asks of an ICE transport."""

    role = "controlled"

    def __init__(self, doors: "Doors") -> None:
        # Letters and digits alone, as ice-char has them (RFC 8839 §5.4).
        self.name, self.password = secrets.token_hex(8), secrets.token_hex(16)
        self.heard = monotonic()
        self.addresses: list[Peer] = []
        self._doors = doors
        self._chosen: Peer | None = None
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)
        self._came = asyncio.Event()
        self._closed = False
        self._left, self._since = BURST, 0.0

    @property
    def dead(self) -> bool:
        """Whether nobody has been there for too long."""
        return monotonic() - self.heard > SILENCE

    def checked(self, peer: Peer, nominated: bool) -> None:
        """A valid check came from there."""
        self.heard = monotonic()
        if nominated or self._chosen is None:
            self._chosen = peer

    def received(self, data: bytes) -> None:
        """DTLS or SRTP came; what nobody takes in time is lost, as any datagram may be."""
        self._waiting.append(data)
        self._came.set()

    def close(self) -> None:
        self._closed = True
        self._came.set()

    async def _recv(self) -> bytes:
        while not self._waiting:
            if self._closed:
                raise ConnectionError
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()

    async def _send(self, data: bytes) -> None:
        if self._closed or self._chosen is None:
            raise ConnectionError
        await self._pace(len(data))
        self._chosen.send(data)

    async def _pace(self, size: int) -> None:
        now = monotonic()
        if now - self._since > PAUSE:
            self._left, self._since = BURST, now
        self._left -= size
        if self._left < 0:
            await asyncio.sleep(PAUSE)


class Doors:
    """The sockets, and which session each datagram is for."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._doors = [Door(one) for one in sockets]
        self._named: dict[str, Lite] = {}
        self._known: dict[Peer, Lite] = {}

    def open(self) -> None:
        """Take what comes, and throw away what waited for nobody."""
        for one in self._doors:
            one.forget()
            asyncio.get_running_loop().add_reader(one.socket, self._read, one)

    def add(self) -> Lite:
        """A way for one more session."""
        way = Lite(self)
        self._named[way.name] = way
        return way

    def remove(self, way: Lite) -> None:
        way.close()
        self._named.pop(way.name, None)
        for peer in way.addresses:
            self._known.pop(peer, None)

    def _read(self, one: Door) -> None:
        for _ in range(_READ_AT_ONCE):
            if (found := one.read()) is None:
                return
            try:
                self.take(*found)
            except Exception:
                # Strangers may send anything; it must cost nobody else a packet.
                LOG.debug("a datagram was left out", exc_info=True)

    def take(self, peer: Peer, data: bytes) -> None:
        """One datagram."""
        if len(data) >= 20 and data[0] < 4 and data[4:8] == _COOKIE:
            self._check(peer, data)
        elif data and (way := self._known.get(peer)):
            way.received(data)

    def _check(self, peer: Peer, data: bytes) -> None:
        request = stun.parse_message(data)
        if (request.message_method, request.message_class) != (stun.Method.BINDING, stun.Class.REQUEST):
            return
        way = self._named.get(request.attributes.get("USERNAME", "").partition(":")[0])
        if way is None or not request.check_message_integrity(way.password.encode()):
            return
        if not self._learn(peer, way):
            return
        way.checked(peer, "USE-CANDIDATE" in request.attributes)
        self._answer(peer, way, request)

    def _learn(self, peer: Peer, way: Lite) -> bool:
        """The address belongs to this session now; False where it has too many."""
        if self._known.get(peer) is way:
            return True
        if len(way.addresses) >= _MAX_ADDRESSES:
            return False
        if before := self._known.get(peer):
            before.addresses.remove(peer)
        way.addresses.append(peer)
        self._known[peer] = way
        return True

    def _answer(self, peer: Peer, way: Lite, request: stun.Message) -> None:
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        host, port = str(peer.address[0]).partition("%")[0], peer.address[1]
        answer.attributes["XOR-MAPPED-ADDRESS"] = host.removeprefix("::ffff:"), port
        answer.add_message_integrity(way.password.encode())
        peer.send(bytes(answer))
