"""RTP that came by UDP, back in its order (RFC 3550 §5.1, sequence numbers)."""

from collections.abc import Callable

from services.mts.chunk import RTP

DEPTH = 64
"""Packets that are waited with; a key frame of 90 KB has as many."""
_ASTRAY = 3000


class Reorder:
    """One track: puts right what overtook, leaves out what came twice, and gives up on what is lost.

    A picture that has lost a packet in its middle is ended there: a decoder hides a missing end better than
    a piece that does not belong where it stands.
    """

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self.lost = 0
        self._deliver = deliver
        self._held: dict[int, bytes] = {}
        self._next: int | None = None
        self._ssrc = 0
        self._timestamp = 0
        self._broken: int | None = None

    @property
    def waits(self) -> bool:
        """Whether something is held back for what is missing before it."""
        return bool(self._held)

    def take(self, packet: bytes) -> None:
        """One datagram; what is no RTP is left out."""
        if len(packet) <= RTP.size or packet[0] >> 6 != 2:
            return
        _, _, sequence, _, ssrc = RTP.unpack_from(packet)
        ahead = 0 if self._next is None else (sequence - self._next + 0x8000 & 0xFFFF) - 0x8000
        if self._next is None or ssrc != self._ssrc or abs(ahead) > _ASTRAY:
            self.give_up()
            self._next, self._ssrc, ahead = sequence, ssrc, 0
        if ahead < 0:
            return
        self._held[sequence] = packet
        self._drain()
        if len(self._held) > DEPTH:
            self._skip()

    def give_up(self) -> None:
        """Wait no longer for what is missing."""
        while self._held:
            self._skip()

    def _skip(self) -> None:
        first = min(self._held, key=lambda sequence: (sequence - (self._next or 0)) & 0xFFFF)
        self.lost += (first - (self._next or 0)) & 0xFFFF
        self._next = first
        _, _, _, timestamp, _ = RTP.unpack_from(self._held[first])
        self._broken = timestamp if timestamp == self._timestamp else None
        self._drain()

    def _drain(self) -> None:
        while self._next is not None and (packet := self._held.pop(self._next, None)) is not None:
            self._next = (self._next + 1) & 0xFFFF
            _, _, _, self._timestamp, _ = RTP.unpack_from(packet)
            if self._timestamp != self._broken:
                self._broken = None
                self._deliver(packet)
