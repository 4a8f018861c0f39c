"""A camera and a recorder without services around them: batches of made-up pictures, files, index."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.media.batch import Batch
from services.mts import fmp4
from services.mts.bits import Sps
from services.runtime.health import Health
from services.ss import boxes, recorder
from services.ss.entry import SECOND
from services.ss.recorder import Recorder
from services.ss.retention import Quota
from services.ss.store import Store

RATE, FRAME = 90_000, 3600
NOON = 1_790_000_000 * SECOND
FACTS = Sps(320, 180, "avc1.42c01e", 1, 8, 8)
INIT = fmp4.init_segment(FACTS, b"\0\0\0\x08avc1", RATE)


@dataclass
class Camera:
    """Makes batches, one GOP each; its clock and its media time can be moved apart."""

    wall: int = NOON
    tick: int = 0
    passed: float = 0.0
    made: list[int] = field(default_factory=list)

    def gop(self, frames: int, gap: bool = False) -> Batch:
        """The next GOP."""
        body, start = b"", self.tick
        for n in range(frames):
            sample = (4 + n % 7).to_bytes(4, "big") + b"x" * (4 + n % 7)
            body += fmp4.stamp(self.tick, self.wall) if n == 0 else b""
            body += fmp4.fragment(n, self.tick, FRAME, n == 0, len(sample)) + sample
            self.tick += FRAME
        one = Batch(True, gap, frames, self.wall, start, self.tick, False, body)
        self.made.append(self.wall)
        self.wait(frames * FRAME / RATE)
        return one

    def wait(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.passed += seconds


class Bench:
    """A store on a folder of its own, and a recorder that is fed by hand."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.state, self.camera = folder / "r", folder / "s", Camera()
        self.root.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(recorder, "monotonic", lambda: self.camera.passed)
        self.open()

    def open(self) -> None:
        self.store = Store([str(self.root)], self.state, Quota(), Health())
        self.store.file_seconds = 4.0
        self.store.recover()
        self.recorder = Recorder("cam", self.store)
        self.recorder.resume()
        self.recorder._head = (INIT, "video/mp4", RATE)

    async def feed(self, *batches: Batch) -> None:
        for one in batches:
            await self.recorder._take(one)

    async def shoot(self, count: int) -> None:
        """So many GOPs of a second, as they happen."""
        for _ in range(count):
            await self.feed(self.camera.gop(25))

    async def close(self) -> None:
        await self.recorder.finish()
        self.store.close()

    def files(self) -> list[Path]:
        return sorted(self.root.glob("cam/*/*.mp4"))

    def recorded(self) -> list[int]:
        """Arrival of every GOP in every file, as the files say."""
        return [gop.at for path in self.files() for gop in scanned(path).gops]


def scanned(path: Path) -> boxes.Scan:
    file = os.open(path, os.O_RDONLY)
    try:
        return boxes.scan(file)
    finally:
        os.close(file)
