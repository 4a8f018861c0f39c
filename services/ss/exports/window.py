"""Part of a file as if it were one of its own, so that a member of an archive is written where it stays."""

import os
from typing import BinaryIO

from services.ss.exports.results import BUFFER


class Window:
    """From `base` to the end of what was written, or for `size` bytes; what libav asks of a file."""

    def __init__(self, file: BinaryIO, base: int, size: int | None = None) -> None:
        self._file = file
        self._base = base
        self._size = size
        self._file.seek(base)
        self.high = 0

    def write(self, data: bytes | bytearray) -> int:
        """All of `data`; raises OSError."""
        self._file.write(data)
        self.high = max(self.high, self.tell())
        return len(data)

    def read(self, wanted: int = BUFFER) -> bytes:
        """At most so many bytes; none at the end."""
        left = wanted if self._size is None else min(wanted, self._size - self.tell())
        return self._file.read(max(0, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position, counted from the window's beginning."""
        if whence == os.SEEK_END and self._size is not None:
            offset, whence = self._size + offset, os.SEEK_SET
        begin = self._base if whence == os.SEEK_SET else 0
        return self._file.seek(begin + offset, whence) - self._base

    def tell(self) -> int:
        """Where it stands, counted from the window's beginning."""
        return self._file.tell() - self._base
