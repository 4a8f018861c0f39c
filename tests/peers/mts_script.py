"""A camera whose every packet a test decides: RTSP without a password, one H.264 track on its connection."""

import contextlib
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

PACE = 0.008
"""Seconds between two pictures: five times as fast as their times say."""
SDP = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=cam\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n"
)


@dataclass(frozen=True)
class Picture:
    """NAL units, and what their packets say; `sequence` counts on unless it is given."""

    nals: list[bytes]
    timestamp: int
    ssrc: int = 7
    sequence: int | None = None


def pictures(size: str, count: int) -> list[list[bytes]]:
    """NAL units of so many pictures, a key picture with parameter sets every 25."""
    words = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        f"testsrc=size={size}:rate=25",
        "-frames:v",
        str(count),
    ]
    words += ["-c:v", "libx264", "-g", "25", "-sc_threshold", "0", "-bf", "0", "-preset", "ultrafast"]
    words += ["-x264-params", "aud=1:sliced-threads=0", "-f", "h264", "-"]
    data = subprocess.run(words, check=True, capture_output=True).stdout
    units = [one for one in data.split(b"\x00\x00\x00\x01\x09")[1:] if one]
    return [
        [nal.removesuffix(b"\x00") for nal in (b"\x09" + unit).split(b"\x00\x00\x01")][1:] for unit in units
    ]


class Script:
    """Plays the same pictures to one listener after the other, then keeps its connection open."""

    def __init__(self, played: list[Picture]) -> None:
        self._played = played
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/cam"
        self.go = threading.Event()
        """Set by the test when its viewers are there; the first picture is sent before."""
        self._end = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._end.set()
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, contextlib.suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        buffer, playing = b"", False
        while not playing:
            while b"\r\n\r\n" not in buffer:
                data = connection.recv(4096)
                if not data:
                    return
                buffer += data
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            method = head.split(b" ")[0].decode()
            number = next(line for line in head.decode().split("\r\n") if line.lower().startswith("cseq"))
            body = SDP if method == "DESCRIBE" else ""
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n" if method == "SETUP" else ""
            said = f"RTSP/1.0 200 OK\r\n{number}\r\nSession: 1\r\nContent-Length: {len(body)}\r\n{more}\r\n"
            connection.sendall((said + body).encode())
            playing = method == "PLAY"
        for data in self._packets():
            connection.sendall(data)
            time.sleep(PACE)
        self._end.wait(60)

    def _packets(self) -> Iterator[bytes]:
        sequence = 100
        for number, picture in enumerate(self._played):
            if number == 1:
                self.go.wait(20)
            sequence = sequence if picture.sequence is None else picture.sequence
            parts = []
            for place, nal in enumerate(picture.nals, 1):
                marker = 0x80 if place == len(picture.nals) else 0
                head = struct.pack(
                    ">BBHII", 0x80, 96 | marker, sequence & 0xFFFF, picture.timestamp % 2**32, picture.ssrc
                )
                parts.append(b"$\x00" + (12 + len(nal)).to_bytes(2, "big") + head + nal)
                sequence += 1
            yield b"".join(parts)
