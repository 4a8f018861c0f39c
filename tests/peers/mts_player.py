"""Bare viewers on one socket each: an RTSP player and a WebSocket reader, without any library of ours."""

import re
import secrets
import socket
from urllib.parse import urlsplit


class Player:
    """RTSP over TCP, request by request."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.buffer = b""
        self.count = 0

    def ask(self, method: str, url: str, *headers: str) -> tuple[int, str]:
        """Status and text of the answer."""
        self.count += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.count}", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        text = head.decode()
        if length := re.search(r"Content-Length: *(\d+)", text, re.IGNORECASE):
            while len(self.buffer) < int(length[1]):
                self.fill()
            text += "\r\n" + self.buffer[: int(length[1])].decode()
            self.buffer = self.buffer[int(length[1]) :]
        return int(text.split(" ")[1]), text

    def fill(self) -> None:
        """Read more; raises ConnectionResetError at the end."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError
        self.buffer += data

    def play(self, url: str, *interleaved: str) -> str:
        """DESCRIBE, SETUP of one track per pair of channels, PLAY; returns the session id."""
        status, text = self.ask("DESCRIBE", url, "Accept: application/sdp")
        assert status == 200, text
        base, session = url.split("?")[0], ""
        controls = re.findall(r"a=control:(\S*(?:track|stream)\S*)", text)
        for pair, control in zip(interleaved, controls, strict=False):
            transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={pair}"
            headers = [transport, f"Session: {session}"] if session else [transport]
            status, text = self.ask("SETUP", f"{base}/{control}", *headers)
            assert status == 200, text
            session = re.search(r"Session: *([^;\s]+)", text)[1]  # type: ignore[index]
        assert self.ask("PLAY", base, f"Session: {session}")[0] == 200
        return session

    def channels(self, count: int) -> set[int]:
        """Interleaved channels of the next packets."""
        found = set()
        for _ in range(count):
            while len(self.buffer) < 4 or len(self.buffer) < 4 + int.from_bytes(self.buffer[2:4], "big"):
                self.fill()
            assert self.buffer[0] == 0x24
            found.add(self.buffer[1])
            self.buffer = self.buffer[4 + int.from_bytes(self.buffer[2:4], "big") :]
        return found


def websocket(url: str, first: bytes = b"") -> socket.socket:
    """An open WebSocket (RFC 6455), after sending one text message if asked to."""
    parts = urlsplit(url)
    opened = socket.create_connection(("127.0.0.1", parts.port), timeout=10)
    lines = [
        f"GET {parts.path}?{parts.query} HTTP/1.1",
        f"Host: 127.0.0.1:{parts.port}",
        "Upgrade: websocket",
    ]
    lines += [
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "",
        "",
    ]
    opened.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += opened.recv(1)
    assert b" 101 " in head.split(b"\r\n")[0], head
    if first:
        mask = secrets.token_bytes(4)
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(first))
        size = bytes((0x80 | len(first),)) if len(first) < 126 else b"\xfe" + len(first).to_bytes(2, "big")
        opened.sendall(b"\x81" + size + mask + masked)
    return opened
