"""How much of a camera's stream gathers in the kernel before it is read, while nobody watches."""

import asyncio
import socket

HOLD_SECONDS = 0.5
MOST = 512 * 1024
"""So much has to fit into what an Intake reads at once."""


class Calm:
    """The low-water mark of one connection (SO_RCVLOWAT, socket(7)); a mark of one byte is none.

    It follows what came in the last seconds, and at once a camera that slows down a lot, which is not waited
    for; the end of a connection is noticed at once, whatever the mark.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._socket = transport.get_extra_info("socket")
        self._seen = self._rate = 0
        self.mark = 1

    def settle(self, total: int) -> None:
        """Called each second while nobody watches, with all bytes read so far."""
        came, self._seen = total - self._seen, total
        # Large reads make a second look fuller, or emptier, than the camera is.
        steady = self._rate and 2 * came >= self._rate
        self._rate = (3 * self._rate + came) // 4 if steady else came
        wanted = max(1, min(int(self._rate * HOLD_SECONDS), MOST))
        if not self.mark * 3 < wanted * 4 < self.mark * 5:
            self._set(wanted)

    def hurry(self, total: int) -> None:
        """Somebody watches: what has gathered comes now, and all else as it comes."""
        self._seen, self._rate = total, 0
        if self.mark > 1:
            self._set(1)

    def _set(self, mark: int) -> None:
        if self._socket is None:
            return
        # The kernel makes its window fit the mark: twice as much lets the camera write on meanwhile.
        for size in (2 * mark, mark) if mark > 1 else (1,):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        self.mark = mark
