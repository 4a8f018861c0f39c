"""A viewer of RTMP: opens a stream and leaves the reading to whoever asked (Adobe, RTMP 1.0, §5 and §7)."""

import os
import socket
import struct
from urllib.parse import urlsplit

HANDSHAKE = 1536
_CHUNK = 128
_COMMAND = 0x14
Value = str | float | dict[str, str | float] | None


def opened(url: str) -> socket.socket:
    """A connection on which rtmp://HOST:PORT/APPLICATION/STREAM comes."""
    where = urlsplit(url)
    application, _, name = where.path.lstrip("/").partition("/")
    connection = socket.create_connection((where.hostname, where.port), timeout=10)
    _shake(connection)
    place = f"rtmp://{where.netloc}/{application}"
    connection.sendall(
        _command(0, "connect", 1, {"app": application, "tcUrl": place, "flashVer": "LNX 9,0,124,2"})
        + _command(0, "createStream", 2, None)
        # The first stream of a connection is number 1; -2000: live, or what was recorded.
        + _command(1, "play", 3, None, name, -2000)
    )
    return connection


def _shake(connection: socket.socket) -> None:
    connection.sendall(b"\x03" + bytes(8) + os.urandom(HANDSHAKE - 8))
    theirs = _exactly(connection, 1 + 2 * HANDSHAKE)
    connection.sendall(theirs[1 : 1 + HANDSHAKE])


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the server ended the handshake")
        data += part
    return data


def _command(stream: int, *values: Value) -> bytes:
    """A message of AMF0 values, cut into chunks of the size that holds until another one is told."""
    body = b"".join(map(_amf, values))
    about = len(body).to_bytes(3, "big") + bytes([_COMMAND]) + stream.to_bytes(4, "little")
    parts = [body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK)]
    return b"\x03" + bytes(3) + about + b"\xc3".join(parts)


def _amf(value: Value) -> bytes:
    if value is None:
        return b"\x05"
    if isinstance(value, str):
        return b"\x02" + _text(value)
    if isinstance(value, dict):
        return b"\x03" + b"".join(_text(key) + _amf(one) for key, one in value.items()) + b"\x00\x00\x09"
    return b"\x00" + struct.pack(">d", value)


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
