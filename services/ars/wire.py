"""HTTP/1.1 over one socket in both roles: the device asks once, then the platform asks (framing: h11)."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import h11

MAX_HEAD = 16 * 1024
MAX_REQUEST = 4 * 1024
MAX_ANSWER = 8 * 1024 * 1024
_READ = 64 * 1024
_BODILESS = {204, 304}

Headers = tuple[tuple[str, str], ...]


class WireError(Exception):
    """The other side is gone or does not speak HTTP as it should: the socket is of no more use."""


@dataclass(frozen=True)
class Request:
    """What a device asked for."""

    method: str
    target: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What a device answered; header names are lower case."""

    status: int
    headers: Headers
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


class Wire:
    """One device's socket. First `hear` and `reply`, then any number of `ask`, one at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes = b""
    ) -> None:
        self._reader, self._writer = reader, writer
        self._server = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        if early:
            self._server.receive_data(early)

    @property
    def gone(self) -> bool:
        """Whether the device has closed the socket."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        """Drop the socket at once."""
        self._writer.transport.abort()

    async def hear(self) -> Request:
        """The device's request; at most 4 KB of body."""
        try:
            head = await self._event(self._server)
            if not isinstance(head, h11.Request):
                raise WireError("It closed the connection before it asked for anything.")
            body = await self._body(self._server, MAX_REQUEST)
        except (h11.RemoteProtocolError, OSError) as reason:
            raise WireError(f"Its request cannot be read: {reason}.") from reason
        return Request(head.method.decode(), head.target.decode(), body)

    async def reply(self, status: int) -> None:
        """Answer the request without a body and keep the connection."""
        headers = [("Content-Length", "0"), ("Connection", "keep-alive")]
        await self._send(self._server, h11.Response(status_code=status, headers=headers), h11.EndOfMessage())
        if self._server.trailing_data[0]:
            raise WireError("It talks on where it is the platform's turn.")

    async def ask(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Answer:
        """Send a request to the device and read its whole answer, at most 8 MB."""
        try:
            return await self._exchange(method, target, headers, body)
        except (h11.ProtocolError, OSError) as reason:
            raise WireError(f"The exchange of {method} {target[:80]} failed: {reason}.") from reason

    async def _exchange(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        length = (("Content-Length", str(len(body))),) if body or method == "POST" else ()
        request = h11.Request(method=method, target=target, headers=[("Host", "device"), *length, *headers])
        events = [request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
        await self._send(self._client, *events)
        head = await self._event(self._client)
        while isinstance(head, h11.InformationalResponse):
            head = await self._event(self._client)
        if not isinstance(head, h11.Response):
            raise WireError("It closed the connection instead of answering.")
        found = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        _need_end(head.status_code, found)
        data = await self._body(self._client, MAX_ANSWER)
        self._again()
        return Answer(head.status_code, found, data)

    def _again(self) -> None:
        if self._client.our_state is h11.DONE and self._client.their_state is h11.DONE:
            self._client.start_next_cycle()
        else:
            # The device said that this was the last answer: the next question finds the socket closed.
            self._writer.close()

    async def _send(self, connection: h11.Connection, *events: h11.Event) -> None:
        if self._writer.is_closing():
            raise WireError("It has closed the connection.")
        self._writer.write(b"".join(connection.send(event) or b"" for event in events))
        await self._writer.drain()

    async def _event(self, connection: h11.Connection) -> object:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await self._reader.read(_READ))
        return event

    async def _body(self, connection: h11.Connection, most: int) -> bytes:
        data = bytearray()
        while isinstance(event := await self._event(connection), h11.Data):
            data += event.data
            if len(data) > most:
                raise WireError(f"It sends more than {most} bytes.")
        if not isinstance(event, h11.EndOfMessage):
            raise WireError("It stopped in the middle of a message.")
        return bytes(data)


def _need_end(status: int, headers: Iterable[tuple[str, str]]) -> None:
    """Refuse an answer that only ends with the connection: nothing could be asked after it."""
    framed = any(name in ("content-length", "transfer-encoding") for name, _ in headers)
    if not framed and status not in _BODILESS:
        raise WireError("It answered without saying how long the answer is.")
