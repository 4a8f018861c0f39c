"""One UDP socket that answers from the address it was asked at, which a node with several networks has to."""

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Any

MAX_DATAGRAM = 2048
_PKTINFO = 8
"""IP_PKTINFO of ip(7), which Python does not name."""
_V4 = struct.Struct("=I4s4s")
_V6 = struct.Struct("=16sI")
_ROOM = 64
Note = tuple[int, int, bytes]


@dataclass(frozen=True)
class Peer:
    """Where somebody is, and by which of our addresses; `note` is that as the system wants to have it."""

    door: "Door"
    address: Any
    note: Note | None

    def send(self, data: bytes) -> None:
        """One datagram; what the network does not take now is lost, as any may be."""
        with contextlib.suppress(OSError):
            self.door.socket.sendmsg([data], [self.note] if self.note else [], 0, self.address)


class Door:
    """Takes over a bound socket."""

    def __init__(self, bound: socket.socket) -> None:
        self.socket = bound
        bound.setblocking(False)
        v6 = bound.family == socket.AF_INET6
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO) if v6 else (socket.IPPROTO_IP, _PKTINFO)
        )
        bound.setsockopt(level, option, 1)

    def read(self) -> tuple[Peer, bytes] | None:
        """A datagram and whose it is; None when there is none."""
        try:
            data, notes, _, address = self.socket.recvmsg(MAX_DATAGRAM, _ROOM)
        except OSError:
            return None
        return Peer(self, address, _back(notes)), data

    def forget(self) -> None:
        """Throw away what waits."""
        while self.read():
            pass


def _back(notes: list[Note]) -> Note | None:
    """The note that makes an answer leave by the address that the question came to."""
    for level, kind, data in notes:
        if (level, kind) == (socket.IPPROTO_IP, _PKTINFO) and len(data) >= _V4.size:
            return level, kind, _V4.pack(0, _V4.unpack_from(data)[2], bytes(4))
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(data) >= _V6.size:
            return level, kind, data[: _V6.size]
    return None
