"""A camera and a recorder without services around them: batches of made-up pictures, files, index."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from services import recording_keys
from services.media.batch import Batch
from services.mts import fmp4
from services.mts.bits import Sps
from services.recording_keys import ID_SIZE
from services.runtime.health import Health
from services.ss import boxes, recorder, sealing, storage
from services.ss.entry import SECOND
from services.ss.recorder import Recorder, Wish
from services.ss.retention import Quota
from services.ss.sealing import HEADER
from services.ss.storage import OVERHEAD
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


class Ring:
    """The keys of this process, which encrypts as long as it is entered."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
        self.path = folder / recording_keys.NAME

    def hold(self, *keys: recording_keys.Key, on: bool = True) -> None:
        """As a start with these keys does."""
        self.path.write_text(recording_keys.written(keys))
        self._forget(on)

    def _forget(self, on: bool) -> None:
        sealing._ring.cache_clear()
        sealing._DAMAGED.clear()
        sealing.use(on)

    def __enter__(self) -> Self:
        self.hold(recording_keys.new())
        return self

    def __exit__(self, *_: object) -> None:
        self._forget(False)


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
        self.recorder.wish = Wish()
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
        return sorted(self.root.glob("cam/*/*.*"))

    def recorded(self) -> list[int]:
        """Arrival of every GOP in every file, as the files say."""
        return [gop.at for path in self.files() for gop in scanned(path).gops]


def scanned(path: Path) -> boxes.Scan:
    with storage.found(path) as file:
        return boxes.scan(file)


def size_in(path: Path) -> int:
    """Bytes that are in a file, which has nothing else behind them."""
    with storage.found(path) as file:
        head, parts = (HEADER, len(file.parts[ID_SIZE:]) // 4) if file.parts else (0, 0)
        assert path.stat().st_size == head + file.size + parts * OVERHEAD
        return file.size
