"""Auto register, CGI flavour: the camera dials the platform and then answers requests on that same socket."""

import json
import secrets
import socket
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from lab.device.cgi import Device, answer
from lab.device.digest import Digest

CONNECT = "/cgi-bin/api/autoRegist/connect"
LOGIN = "/cgi-bin/api/global/login"
KEEP_ALIVE = "/cgi-bin/api/global/keep-alive"
RETRY_SECONDS, SILENCE_SECONDS, DIAL_SECONDS = 2.0, 90.0, 10.0
LONGEST_HEAD = 4096

Snapshot = Callable[[], bytes]


def split(text: str) -> tuple[str, int, str]:
    """`HOST:PORT/ID` as its three parts; ValueError for anything else."""
    where, slash, id = text.partition("/")
    host, colon, port = where.rpartition(":")
    if not (slash and colon and host and id):
        raise ValueError(f"{text!r} is not HOST:PORT/ID")
    return host, int(port), id


def run(device: Device, where: str, snapshot: Snapshot | None = None, retry: float = RETRY_SECONDS) -> None:
    """Register again and again, until the process ends."""
    host, port, id = split(where)
    while True:
        try:
            once(device, host, port, id, snapshot)
        except OSError as why:
            print(f"register: {host}:{port} {why!r}", file=sys.stderr, flush=True)
        time.sleep(retry)


def once(device: Device, host: str, port: int, id: str, snapshot: Snapshot | None = None) -> None:
    """One registration: dial, introduce, then serve until the platform or the network ends it."""
    body = json.dumps({"DevClass": "IPC", "DeviceID": id, "ServerIP": host}).encode()
    lines = (f"POST {CONNECT} HTTP/1.1", f"Host: {host}:{port}", "Connection: keep-alive",
             "Content-Type: application/json", f"Content-Length: {len(body)}", "", "")  # fmt: skip
    dialled = socket.create_connection((host, port), DIAL_SECONDS)
    with dialled:
        dialled.sendall("\r\n".join(lines).encode() + body)
        welcome = _head(dialled)
        if welcome.split()[1:2] != [b"200"]:
            raise ConnectionError(f"the platform answered {welcome[:40]!r}")
        serve(dialled, device, snapshot)


def _head(dialled: socket.socket) -> bytes:
    """The platform's answer, byte by byte: what follows it is already a request of its own."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = dialled.recv(1)
        if not more or len(head) > LONGEST_HEAD:
            raise ConnectionError("the platform hung up")
        head += more
    return head


def serve(connection: socket.socket, device: Device, snapshot: Snapshot | None) -> None:
    """Answer requests on a socket that the platform now asks on; returns when it is closed or silent."""
    digest, token = Digest(device.realm, device.user, device.password), secrets.token_hex(8)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SILENCE_SECONDS

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if urlsplit(self.path).path == LOGIN:
                self._login()
            elif urlsplit(self.path).path == KEEP_ALIVE:
                self._reply(200 if self._known() else 401, b"", "text/plain")
            else:
                self._reply(400, b"Error\r\nBad Request!\r\n", "text/plain")

        def do_GET(self) -> None:
            if not self._known():
                self._reply(401, b"Unauthorized\r\n", "text/plain")
                return
            parts = urlsplit(self.path)
            if parts.path == "/cgi-bin/snapshot.cgi" and snapshot:
                self._reply(200, snapshot(), "image/jpeg")
                return
            text = answer(device, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            status, text = (200, text) if text is not None else (400, "Error\r\nBad Request!\r\n")
            self._reply(status, text.encode(), "text/plain")

        def _login(self) -> None:
            given = self.headers.get("Authorization")
            if digest.accepts("POST", given):
                self._reply(200, json.dumps({"Token": token}).encode(), "application/json")
                return
            if given:
                print("register: refused the platform's password", file=sys.stderr, flush=True)
            self._reply(401, b"", "text/plain", {"WWW-Authenticate": digest.challenge()})

        def _known(self) -> bool:
            return secrets.compare_digest(self.headers.get("X-cgi-token", ""), token)

        def _reply(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {
                **(more or {}),
                "Content-Type": kind,
                "Content-Length": str(len(body)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests every few seconds are no news."""

    Handler(connection, connection.getpeername(), None)  # type: ignore[arg-type]  # it is its own server
