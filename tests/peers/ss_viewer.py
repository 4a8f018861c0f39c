"""Two players of recordings: one on a bare socket that counts everything, and GStreamer's under orders.

As a program, of the system's Python: ss_viewer.py URL ORDERS, where ORDERS is JSON, a list of
`["play", seconds]`, `["pause", seconds]` and `["seek", npt, rate]`. Prints one JSON line for each picture:
its number, its burnt-in clock in milliseconds, how many orders were begun, and when it was shown in seconds.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab import counter

PIPELINE = (
    "rtspsrc name=source protocols=tcp latency=200 ! rtph264depay ! h264parse ! avdec_h264 ! videoconvert "
    "! video/x-raw,format=I420 ! fakesink name=eye signal-handoffs=true sync=true"
)
WIDTH, HEIGHT = 640, 360


@dataclass(frozen=True)
class Seen:
    """A decoded picture: its number, its clock in seconds, when its last packet came, its RTP timestamp."""

    number: int
    clock: float
    came: float
    stamp: int


class Watcher:
    """RTSP on one socket, with the media in between; decodes all it gets with libav."""

    def __init__(self, url: str) -> None:
        import av
        from mts_player import Player

        self.url = url
        self.base = url.split("?")[0]
        self.player = Player(int(url.split(":")[2].split("/")[0]))
        self.codec: Any = av.CodecContext.create("h264", "r")
        self.codec.thread_count = 1
        self.codec.options = {"err_detect": "explode"}
        self.seen: list[Seen] = []
        self.reports: list[bytes] = []
        self.sequence: int | None = None
        self._packets: list[bytes] = []
        self.description = self.ask("DESCRIBE", "Accept: application/sdp")[1]
        self.ask("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")

    def ask(self, method: str, *headers: str) -> tuple[int, str]:
        """Status and text of an answer; pictures that come before it are seen."""
        known = getattr(self, "session", "")
        lines = [*headers, *([f"Session: {known}"] if known else [])]
        self.player.count += 1
        target = self.url if method == "DESCRIBE" else self.base
        words = [f"{method} {target} RTSP/1.0", f"CSeq: {self.player.count}", *lines, "", ""]
        self.player.socket.sendall("\r\n".join(words).encode())
        while (begin := self.player.buffer[:1]) in (b"", b"$"):
            (self.unit if begin else self.player.fill)()
        head, body = self._text()
        told = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        self.session = told.get("Session", known).split(";")[0]
        return int(head.split(" ")[1]), head + "\r\n" + body

    def _text(self) -> tuple[str, str]:
        while b"\r\n\r\n" not in self.player.buffer:
            self.player.fill()
        head, _, rest = self.player.buffer.partition(b"\r\n\r\n")
        size = next((int(x[15:]) for x in head.decode().split("\r\n") if x.startswith("Content-Length")), 0)
        while len(rest) < size:
            self.player.fill()
            rest = self.player.buffer.partition(b"\r\n\r\n")[2]
        self.player.buffer = rest[size:]
        return head.decode(), rest[:size].decode()

    def unit(self) -> None:
        """Read one packet."""
        while len(self.player.buffer) < 4 or len(self.player.buffer) < self._size():
            self.player.fill()
        packet, channel = self.player.buffer[4 : self._size()], self.player.buffer[1]
        self.player.buffer = self.player.buffer[self._size() :]
        if channel == 1:
            self.reports.append(packet)
            return
        number = int.from_bytes(packet[2:4], "big")
        assert self.sequence in (None, number), "a packet is missing"
        self.sequence = (number + 1) & 0xFFFF
        self._packets.append(packet)
        if packet[1] & 0x80:
            self._look()

    def _size(self) -> int:
        return 4 + int.from_bytes(self.player.buffer[2:4], "big")

    def _look(self) -> None:
        import av

        from services.mts import depay

        data, spans = b"", []
        for packet in self._packets:
            spans.append((len(data), len(data) + len(packet) - 12))
            data += packet[12:]
        units = (b"\0\0\0\1" + b"".join(unit) for unit in depay.h264_nals(data, spans))
        stamp = int.from_bytes(self._packets[-1][4:8], "big")
        self._packets = []
        for frame in self.codec.decode(av.Packet(b"".join(units))):
            mark = counter.read_mark(frame)
            self.seen.append(Seen(mark.counter, mark.clock_ms / 1000, time.monotonic(), stamp))

    def watch(self, seconds: float) -> list[Seen]:
        """What comes in this time, or before the server says goodbye."""
        first, until = len(self.seen), time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.left:
            self.player.socket.settimeout(left)
            try:
                self.unit()
            except TimeoutError:
                break
        self.player.socket.settimeout(10)
        return self.seen[first:]

    @property
    def left(self) -> bool:
        """Whether the last report says goodbye."""
        return bool(self.reports) and self.reports[-1][-8:-6] == b"\x81\xcb"

    def close(self) -> None:
        self.player.socket.close()


def main(url: str, orders: list[list[Any]]) -> None:
    """Play with GStreamer."""
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    Gst.init(None)
    pipeline: Any = Gst.parse_launch(PIPELINE)
    pipeline.get_by_name("source").set_property("location", url)
    begun = 0

    def look(_: Any, buffer: Any, __: Any) -> None:  # noqa: ANN401 - GStreamer has no types
        data = buffer.extract_dup(0, WIDTH * HEIGHT)
        mark = counter.read(data, WIDTH, HEIGHT, WIDTH)
        print(json.dumps([mark.counter, mark.clock_ms, begun, time.monotonic()]), flush=True)

    pipeline.get_by_name("eye").connect("handoff", look)
    for verb, *values in orders:
        begun += 1
        if verb == "seek":
            flags = Gst.SeekFlags.FLUSH | Gst.SeekFlags.SKIP
            begin = int(values[0] * Gst.SECOND)
            none = Gst.SeekType.NONE
            assert pipeline.seek(values[1], Gst.Format.TIME, flags, Gst.SeekType.SET, begin, none, -1)
            continue
        pipeline.set_state(Gst.State.PLAYING if verb == "play" else Gst.State.PAUSED)
        time.sleep(values[0])
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
