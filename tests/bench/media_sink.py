"""Many viewers in one process, which throw away what they get; some look at when each picture came.

usage: media_sink.py PAUSE, then a line of JSON: [{"form": "rtsp"|"ws"|"rtmp"|"listen", "url", "say", "look"}]
They connect one after the other, PAUSE seconds apart; one that listens is connected to, and its port printed
as {"ports"}. Prints {"watching": n} once all are connected, then for each further line, since the last one:
{"bytes", "silent": viewers that got nothing, "latency": ms from the camera's write to the end of a picture,
"first": ms from connecting to the first whole key frame, "lost": pictures left out, if numbered}.
"""

import json
import select
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import media_rtmp
from media_clip import MARK
from mts_player import Player, websocket

_SCRAP = bytearray(1 << 20)
_ACCEPT_SECONDS = 60


@dataclass
class Tally:
    """What all viewers saw since the last report."""

    bytes: int = 0
    latency: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    lost: int = 0


class Viewer:
    """One connection that is read and forgotten."""

    def __init__(self, connection: socket.socket, tally: Tally) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.tally = tally
        self.got = 0

    def read(self) -> bool:
        """Take what has come; False at the end."""
        try:
            count = self.socket.recv_into(_SCRAP, len(_SCRAP), socket.MSG_TRUNC)
        except BlockingIOError:
            return True
        self._count(count)
        return count > 0

    def _count(self, count: int) -> None:
        self.got += count
        self.tally.bytes += count


class Looking(Viewer, ABC):
    """One that finds the time in each picture; `began` is when it began to connect."""

    def __init__(self, connection: socket.socket, tally: Tally, began: float, early: bytes) -> None:
        super().__init__(connection, tally)
        self._began = began
        self._buffer = bytearray(early)
        self._sent = self._number = 0
        self._waits = True

    def read(self) -> bool:
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        self._count(len(data))
        self._buffer += data
        del self._buffer[: self._walk(time.monotonic_ns())]
        return bool(data)

    @abstractmethod
    def _walk(self, now: int) -> int:
        """Look at every whole unit; where the first incomplete one begins."""

    def _find(self, data: bytes | bytearray) -> None:
        if (at := data.find(MARK)) >= 0:
            self._sent, number = int(data[at + 16 : at + 32], 16), int(data[at + 32 : at + 40], 16)
            self.tally.lost += abs(number - self._number - 1) if self._number else 0
            self._number = number

    def _whole(self, key: bool, now: int) -> None:
        """A picture is complete."""
        if key and self._waits:
            self._waits = False
            self.tally.first.append(now / 1e6 - self._began * 1e3)
        elif self._sent and not self._waits:
            self.tally.latency.append((now - self._sent) / 1e6)
        self._sent = 0


class RtspViewer(Looking):
    """RTP on one connection."""

    _key = False

    def _walk(self, now: int) -> int:
        buffer, position = self._buffer, 0
        while len(buffer) - position >= 4:
            end = position + 4 + (buffer[position + 2] << 8 | buffer[position + 3])
            if end > len(buffer):
                break
            if buffer[position + 1] == 0 and end - position > 18:
                self._packet(buffer, position, end, now)
            position = end
        return position

    def _packet(self, buffer: bytearray, start: int, end: int, now: int) -> None:
        kind = buffer[start + 16] & 31
        if kind in (6, 24):
            self._find(buffer[start:end])
        self._key |= kind == 5 or (kind == 28 and buffer[start + 17] & 0x9F == 0x85)
        if buffer[start + 5] & 0x80:
            self._whole(self._key, now)
            self._key = False


class WsViewer(Looking):
    """fMP4 in messages of one picture each, of which the first is a key frame."""

    def _walk(self, now: int) -> int:
        buffer, position = self._buffer, 0
        while len(buffer) - position >= 2:
            size, start = buffer[position + 1], position + 2
            if size > 125:
                wide = 2 if size == 126 else 8
                size, start = int.from_bytes(buffer[start : start + wide], "big"), start + wide
            if start + size > len(buffer):
                break
            if buffer[position] & 15 == 2 and buffer.find(b"mdat", start, min(start + 300, start + size)) > 0:
                self._find(buffer[start : start + 600])
                self._whole(self._waits, now)
            position = start + size
        return position


def _rtsp(row: dict[str, Any], tally: Tally) -> Viewer:
    began = time.monotonic()
    player = Player(int(row["url"].split("/")[2].split(":")[1]))
    player.play(row["url"], "0-1")
    if row["look"]:
        return RtspViewer(player.socket, tally, began, player.buffer)
    return Viewer(player.socket, tally)


def _ws(row: dict[str, Any], tally: Tally) -> Viewer:
    began = time.monotonic()
    opened = websocket(row["url"], row["say"].encode())
    return WsViewer(opened, tally, began, b"") if row["look"] else Viewer(opened, tally)


def _rtmp(row: dict[str, Any], tally: Tally) -> Viewer:
    return Viewer(media_rtmp.opened(row["url"]), tally)


OPEN: dict[str, Callable[[dict[str, Any], Tally], Viewer]] = {"rtsp": _rtsp, "ws": _ws, "rtmp": _rtmp}


class Sink:
    """All viewers of this process."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.viewers: dict[int, Viewer] = {}
        self._poll = select.epoll()
        self._poll.register(sys.stdin, select.EPOLLIN)

    def connect(self, rows: list[dict[str, Any]], pause: float) -> None:
        """Open every viewer, and go on reading those that are open."""
        for row in rows:
            if row["form"] != "listen":
                self._add(OPEN[row["form"]](row, self.tally))
                self._read_for(pause)
        listeners = [socket.create_server(("127.0.0.1", 0)) for row in rows if row["form"] == "listen"]
        print(json.dumps({"ports": [one.getsockname()[1] for one in listeners]}), flush=True)
        for one in listeners:
            one.settimeout(_ACCEPT_SECONDS)
            self._add(Viewer(one.accept()[0], self.tally))
            self._read_for(0)
        print(json.dumps({"watching": len(self.viewers)}), flush=True)

    def run(self) -> None:
        """Read until the input ends."""
        while True:
            if self._read(1.0):
                if not sys.stdin.readline():
                    return
                silent = sum(not one.got for one in self.viewers.values())
                print(json.dumps(vars(self.tally) | {"silent": silent}), flush=True)
                self._forget()

    def _add(self, one: Viewer) -> None:
        self.viewers[one.socket.fileno()] = one
        self._poll.register(one.socket, select.EPOLLIN)

    def _read_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._read(0)
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> bool:
        """Take what has come; whether somebody asks for a report."""
        asked = False
        for number, _ in self._poll.poll(seconds):
            one = self.viewers.get(number)
            if one is None:
                asked = True
            elif not one.read():
                self._poll.unregister(number)
        return asked

    def _forget(self) -> None:
        self.tally.bytes = self.tally.lost = 0
        self.tally.latency.clear()
        self.tally.first.clear()
        for one in self.viewers.values():
            one.got = 0


def main() -> None:
    """Watch until the input ends."""
    rows = json.loads(sys.stdin.readline())
    sink = Sink()
    sink.connect(rows, float(sys.argv[1]))
    sink.run()


if __name__ == "__main__":
    main()
