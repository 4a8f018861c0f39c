"""The connection on which DSS_MTS gives a stream: a WebSocket (RFC 6455) of few large messages.

A message is read into memory of its own, from where it is written to the disk: nothing copies it in between.
"""

import asyncio
import base64
import os
import socket
from typing import Self
from urllib.parse import urlsplit

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 15.0
MAX_MESSAGE = 64 * 1024 * 1024
"""More than DSS_MTS ever sends, a batch and the largest frame."""
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
_MAX_ANSWER = 16 * 1024
_AT_ONCE = 1024 * 1024


class LinkError(ValueError):
    """DSS_MTS refused or ended the stream; `status` is its HTTP status, 0 once it had begun."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Link:
    """One stream, read message by message; what nobody asks for stays with the kernel."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, url: str, headers: dict[str, str]) -> Self:
        """Ask for a stream; raises LinkError, OSError or TimeoutError."""
        parts = urlsplit(url)
        link = cls(socket.socket())
        try:
            link._socket.setblocking(False)
            async with asyncio.timeout(CONNECT_SECONDS):
                await link._loop.sock_connect(link._socket, (parts.hostname, parts.port))
            async with asyncio.timeout(ANSWER_SECONDS):
                await link._shake_hands(parts.netloc, f"{parts.path}?{parts.query}", headers)
        except BaseException:
            link.close()
            raise
        return link

    async def receive(self, seconds: float) -> tuple[int, bytearray]:
        """TEXT or BINARY, and the next message; raises TimeoutError, LinkError at the end, or OSError."""
        async with asyncio.timeout(seconds):
            while True:
                kind, size = await self._head()
                body = await self._read(size)
                if kind in (TEXT, BINARY):
                    return kind, body
                if kind == CLOSE:
                    raise LinkError("DSS_MTS ended the stream")
                if kind == PING:
                    await self._answer(bytes(body[:125]))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    async def _shake_hands(self, host: str, path: str, headers: dict[str, str]) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self._loop.sock_sendall(self._socket, "\r\n".join([*lines, "", ""]).encode())
        answer = bytearray()
        while not answer.endswith(b"\r\n\r\n"):
            answer += await self._read(1)
            if len(answer) > _MAX_ANSWER:
                raise LinkError("DSS_MTS answered at too great length")
        status = answer[9:12].decode("latin-1")
        if status != "101":
            raise LinkError("DSS_MTS refused the stream", int(status) if status.isdigit() else 0)

    async def _head(self) -> tuple[int, int]:
        """Kind and size of the next message."""
        first, size = await self._read(2)
        if first & 0xF0 != 0x80 or size & 0x80:
            raise LinkError("DSS_MTS sent a message in pieces")
        if size > 125:
            size = int.from_bytes(await self._read(2 if size == 126 else 8), "big")
        if size > MAX_MESSAGE:
            raise LinkError(f"DSS_MTS sent a message of {size} bytes")
        return first & 15, size

    async def _read(self, count: int) -> bytearray:
        data = bytearray(count)
        have = 0
        while have < count:
            try:
                got = self._socket.recv_into(memoryview(data)[have:])
            except BlockingIOError:
                await self._arrived(count - have)
                continue
            if not got:
                raise LinkError("DSS_MTS ended the stream")
            have += got
        return data

    async def _arrived(self, count: int) -> None:
        """Wait for so many bytes, or the end: waking for each piece would cost more than all the rest."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(count, _AT_ONCE))
        there = self._loop.create_future()
        self._loop.add_reader(self._socket, _set, there)
        try:
            await there
        finally:
            self._loop.remove_reader(self._socket)

    async def _answer(self, said: bytes) -> None:
        """Say that we are here (§5.5.3); a client masks what it sends, and zeros are a mask."""
        frame = bytes((0x8A, 0x80 | len(said))) + bytes(4) + said
        await self._loop.sock_sendall(self._socket, frame)


def _set(there: asyncio.Future[None]) -> None:
    if not there.done():
        there.set_result(None)
