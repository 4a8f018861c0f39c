"""The camera's own storage: it records its main stream, finds what it has, and forgets the oldest."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import BinaryIO

FILE_SECONDS = 20
FORMAT, PLAYBACK_FORMAT = "%Y-%m-%d %H:%M:%S", "%Y_%m_%d_%H_%M_%S"
_RECORD = struct.Struct(">QBI")
"""Of each picture: the camera's time in microseconds since 1970, whether it is a key picture, its bytes."""


@dataclass(frozen=True)
class Picture:
    """One encoded picture; `at` is microseconds since 1970 by the camera's clock."""

    at: int
    key: bool
    data: bytes


class Card:
    """Files of pictures in a folder, each named after the time of its first one; `keep` files at most."""

    def __init__(self, folder: Path, keep: int = 1000) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.keep = folder, keep
        self._file: BinaryIO | None = None
        self._began = 0

    def files(self, start: float, end: float) -> list[tuple[float, float]]:
        """Start and end of each file that has something of a span, seconds by the camera's clock."""
        begun = [(path, int(path.stem) / 1e6) for path in self._paths()]
        # A file ends before the next one begins; only those that may count are read.
        bounds = [*(begin for _, begin in begun[1:]), inf]
        near = [one for one, bound in zip(begun, bounds, strict=False) if one[1] < end and bound > start]
        spans = [(begin, self._end(path)) for path, begin in near]
        return [(begin, last) for begin, last in spans if last > start]

    def pictures(self, start: float, end: float) -> Iterator[Picture]:
        """What lies between two moments, from the key picture at or before the first one on."""
        low, high = round(start * 1e6), round(end * 1e6)
        waiting: list[Picture] = []
        for one in self._all(low):
            if one.at > high:
                return
            if one.at <= low:
                waiting = [one] if one.key else [*waiting, one]
                continue
            yield from waiting
            waiting = []
            yield one
        yield from waiting

    def _all(self, low: int) -> Iterator[Picture]:
        paths = self._paths()
        first = max((n for n, path in enumerate(paths) if int(path.stem) <= low), default=0)
        for path in paths[first:]:
            yield from _read(path)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.card"))

    def _end(self, path: Path) -> float:
        return max((one.at for one in _read(path)), default=int(path.stem)) / 1e6

    def keep_one(self, one: Picture) -> None:
        """Write a picture behind the ones before it."""
        if self._file is None or (one.key and one.at - self._began > FILE_SECONDS * 1e6):
            if not one.key:
                return
            self._file, self._began = (self.folder / f"{one.at:016d}.card").open("ab"), one.at
            for path in self._paths()[: -self.keep]:
                path.unlink()
        self._file.write(_RECORD.pack(one.at, one.key, len(one.data)) + one.data)
        self._file.flush()


def _read(path: Path) -> Iterator[Picture]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    position = 0
    while position + _RECORD.size <= len(data):
        at, key, size = _RECORD.unpack_from(data, position)
        position += _RECORD.size
        if position + size > len(data):
            return
        yield Picture(at, bool(key), data[position : position + size])
        position += size
