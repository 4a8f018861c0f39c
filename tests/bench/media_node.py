"""What is recorded, by the product and by one copying ffmpeg for each camera."""

import re
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from media_clip import MARK
from media_rig import Cameras
from ss_rack import Store

_NUMBER = re.compile(re.escape(MARK) + rb"[0-9a-f]{16}([0-9a-f]{8})")
COPY = "ffmpeg -v error -nostdin -rtsp_transport tcp -i"
SEGMENTS = (
    "-map 0:v -c copy -f segment -segment_time 60 -segment_format mp4 "
    "-segment_format_options movflags=frag_keyframe+empty_moov -y"
)


class Node(Store):
    """DSS_MTS and DSS_SS with many cameras."""

    def assign_all(self, cameras: Cameras) -> None:
        """Have every camera pulled, and wait until it is."""
        for number in range(cameras.count):
            self.assign(f"cam{number}", cameras.url(number))
        for number in range(cameras.count):
            self.wait_for(f"cam{number}", "online")

    def plan(self, kind: str) -> None:
        """Have all channels recorded, or none, and wait until it is so."""
        for row in list(self.channels):
            self.record(row["id"], kind)
        until = time.monotonic() + 30
        wanted = len(self.channels) if kind == "continuous" else 0
        while sum(one["bytes"] > 0 for one in self.ask("/state")["recorders"]) != wanted:
            assert time.monotonic() < until, self.ask("/state")
            time.sleep(0.2)

    def lost(self, channel: str) -> int:
        """How many pictures are missing, or twice there, in the files of a channel."""
        data = b"".join(path.read_bytes() for path in self.files(channel))
        found = [int(one, 16) for one in _NUMBER.findall(data)]
        assert found, f"nothing of {channel} is recorded"
        return sum(abs(after - before - 1) for before, after in pairwise(found))


class Copies:
    """One `ffmpeg -c copy` to files of a minute for each camera; use as a context manager."""

    def __init__(self, cameras: Cameras, folder: Path) -> None:
        self._cameras, self._folder = cameras, folder

    def __enter__(self) -> list[int]:
        self._running = [self._start(number) for number in range(self._cameras.count)]
        return [one.pid for one in self._running]

    def __exit__(self, *_: object) -> None:
        for one in self._running:
            one.kill()
            one.wait()

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        folder = self._folder / f"copy{number}"
        folder.mkdir(exist_ok=True)
        words = [*COPY.split(), self._cameras.url(number), *SEGMENTS.split(), str(folder / "%d.mp4")]
        return subprocess.Popen(words, stderr=subprocess.DEVNULL)
