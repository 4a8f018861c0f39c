"""The part of the Dahua-style HTTP interface that identifies a camera, sets its clock and moves it."""

import calendar
import hashlib
import sys
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from lab.device.card import FORMAT, Card
from lab.device.digest import Digest
from lab.device.head import Head


@dataclass
class Device:
    """The camera as its HTTP interface shows it; `offset` is what its clock is ahead, in seconds."""

    name: str
    user: str
    password: str
    offset: float = 0.0
    head: Head = field(default_factory=Head)
    card: Card | None = None
    finders: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def serial(self) -> str:
        """The same for the same name, as on a label."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:15].upper()

    @property
    def realm(self) -> str:
        return f"Login to {self.serial}"

    def time(self) -> float:
        """The camera's own clock, in seconds since 1970."""
        return time.time() + self.offset


def answer(device: Device, path: str, query: dict[str, str]) -> str | None:
    """The body for one request; None when the camera does not know it."""
    action = query.get("action")
    if path == "/cgi-bin/global.cgi":
        return _clock(device, action, query)
    if path == "/cgi-bin/ptz.cgi":
        return device.head.answer(action or "", query)
    if path == "/cgi-bin/mediaFileFind.cgi":
        return _find(device, device.card, action, query) if device.card else None
    if path == "/cgi-bin/devVideoInput.cgi":
        return "result=1\r\n" if action == "getCollect" else None
    bodies = {
        "getSystemInfo": "deviceType=LAB-IPC\r\nhardwareVersion=1.00\r\nprocessor=lab\r\n"
        f"serialNumber={device.serial}\r\n",
        "getDeviceType": "type=LAB-IPC\r\n",
        "getSerialNo": f"sn={device.serial}\r\n",
        "getSoftwareVersion": "version=1.000.0000000.1.R,build:2026-01-01\r\n",
        "getMachineName": f"name={device.name}\r\n",
    }
    return bodies.get(action or "") if path == "/cgi-bin/magicBox.cgi" else None


def _clock(device: Device, action: str | None, query: dict[str, str]) -> str | None:
    if action == "getCurrentTime":
        return f"result={_text(device.time())}\r\n"
    if action != "setCurrentTime":
        return None
    try:
        wanted = _seconds(query.get("time", ""))
    except ValueError:
        return None
    device.offset = wanted - time.time()
    return "OK\r\n"


def _find(device: Device, card: Card, action: str | None, query: dict[str, str]) -> str | None:
    """Search in the camera's own storage: make a finder, ask it, hear what it found, let go of it."""
    if action == "factory.create":
        name = str(len(device.finders) + 1)
        device.finders[name] = []
        return f"result={name}\r\n"
    found = device.finders.get(query.get("object", ""))
    if found is None:
        return None
    if action == "findFile":
        try:
            start, end = (_seconds(query[f"condition.{name}Time"]) for name in ("Start", "End"))
        except (KeyError, ValueError):
            return None
        found += card.files(start, end) if query.get("condition.Channel") == "1" else []
    if action == "findNextFile":
        now, found[:] = found[: int(query["count"])], found[int(query["count"]) :]
        lines = [f"found={len(now)}"]
        for n, (first, last) in enumerate(now):
            lines += [f"items[{n}].Channel=1", f"items[{n}].StartTime={_text(first)}",
                      f"items[{n}].EndTime={_text(last)}", f"items[{n}].Type=dav",
                      f"items[{n}].FilePath=/mnt/sd/{first:.0f}.dav"]  # fmt: skip
        return "\r\n".join([*lines, ""])
    return "OK\r\n"


def _seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, FORMAT))


def _text(moment: float) -> str:
    return time.strftime(FORMAT, time.gmtime(moment))


def server(device: Device, port: int = 80) -> ThreadingHTTPServer:
    """The camera's HTTP server, bound but not yet serving."""
    digest = Digest(device.realm, device.user, device.password)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            given = self.headers.get("Authorization")
            if not digest.accepts("GET", given):
                if given:
                    print(f"http: refused {self.client_address[0]}", file=sys.stderr, flush=True)
                self._send(401, "Unauthorized\r\n", {"WWW-Authenticate": digest.challenge()})
                return
            parts = urlsplit(self.path)
            body = answer(device, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            self._send(*((200, body) if body is not None else (400, "Error\r\nBad Request!\r\n")))

        def _send(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
            data = body.encode()
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Type": "text/plain"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Polls every few seconds are no news."""

    return ThreadingHTTPServer(("", port), Handler)
