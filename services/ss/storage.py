"""The bytes of recorded files, encrypted or not: whoever reads or cuts them comes here. Blocking."""

import os
import struct
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Self

from services.recording_keys import ID_SIZE
from services.ss import sealing
from services.ss.boxes import TornError
from services.ss.entry import SEALED, Entry
from services.ss.sealing import HEADER, NONCE, TAG, Cipher, DamagedError

_FRAME = struct.Struct(f">I{NONCE}s")
"""Before each part: how long its plain text is, and its nonce."""
OVERHEAD = _FRAME.size + TAG
_LENGTH = struct.Struct(">I")
_HOLE = bytes(512)
"""What a power cut leaves of a sector; cipher text never holds it."""


class Plain:
    """A file as it lies on the disk."""

    parts = b""

    def __init__(self, path: Path, write: bool = False) -> None:
        self._file = os.open(path, os.O_RDWR if write else os.O_RDONLY)

    @property
    def size(self) -> int:
        return os.fstat(self._file).st_size

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on; raises OSError."""
        return os.pread(self._file, size, offset)

    def cut(self, size: int) -> bool:
        """Leave `size` bytes, for good; whether there were more. Raises OSError."""
        if self.size == size:
            return False
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


class Sealed(Plain):
    """An encrypted file; offsets and sizes are those of what is in it.

    `parts` is the table that a finished file has in the index: the id of the key, then the length of each
    part, 4 bytes. Without it the parts are found one after the other.
    """

    def __init__(self, path: Path, parts: bytes = b"", write: bool = False) -> None:
        super().__init__(path, write)
        self._path = path
        self._last: tuple[int, bytes] = -1, b""
        self._damaged = False
        try:
            header = os.pread(self._file, HEADER, 0)
            self._cipher = sealing.known(header, sealing.name_of(path))
            self._set(parts or sealing.key_of(header) + self._found())
        except BaseException as error:
            os.close(self._file)
            if isinstance(error, DamagedError):
                sealing.notice(path, error)
            raise

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on, up to a part that is not as it was.

        Raises OSError, or TornError if there is nothing up to it.
        """
        found, end = bytearray(), min(offset + size, self.size)
        while offset < end:
            number = bisect_right(self._starts, offset) - 1
            begin = self._starts[number]
            try:
                piece = memoryview(self._part(number))[offset - begin : end - begin]
            except TornError:
                if found:
                    break
                raise
            found += piece
            offset += len(piece)
        return bytes(found)

    def cut(self, size: int) -> bool:
        """Leave the parts of which something lies before `size`, for good; whether there was more.

        What is behind a part that was altered stays: it is no end that a power cut tore.
        """
        parts, length = _cut(self.parts, size)
        self._set(parts)
        if self._damaged or os.fstat(self._file).st_size == length:
            return False
        os.ftruncate(self._file, length)
        os.fsync(self._file)
        return True

    def _set(self, parts: bytes) -> None:
        self.parts, self._starts = parts, _starts(parts)

    def _found(self) -> bytes:
        """The lengths of all parts that the file has room for."""
        table, place, end = bytearray(), HEADER, os.fstat(self._file).st_size
        while place + OVERHEAD < end:
            length = int.from_bytes(os.pread(self._file, _LENGTH.size, place))
            place += OVERHEAD + length
            # Pages of zeros are what a power cut leaves of a part.
            if not length or place > end:
                break
            table += _LENGTH.pack(length)
        return bytes(table)

    def _part(self, number: int) -> bytes:
        if self._last[0] != number:
            try:
                self._last = number, self._opened(number)
            except DamagedError as error:
                self._damaged = True
                sealing.notice(self._path, error)
                raise
        return self._last[1]

    def _opened(self, number: int) -> bytes:
        begin, end = self._starts[number], self._starts[number + 1]
        data = os.pread(self._file, end - begin + OVERHEAD, HEADER + begin + number * OVERHEAD)
        if len(data) < end - begin + OVERHEAD:
            raise TornError(f"{self._path} is shorter than it was")
        length, nonce = _FRAME.unpack_from(data)
        if not any(data[-TAG:]) or _HOLE in data:
            raise TornError(f"a part of {self._path} was never written")
        if length != end - begin:
            raise DamagedError(f"{self._cipher.name} was altered or damaged in its part at {begin}")
        return self._cipher.open(begin, nonce, data[_FRAME.size :])


class Sealer:
    """What turns the bytes of a new file into those on the disk."""

    def __init__(self, name: str, header: bytes, cipher: Cipher) -> None:
        self._name, self._header, self._cipher = name, header, cipher
        self._table = bytearray(sealing.key_of(header))

    @classmethod
    def of(cls, first: Entry) -> "Sealer | None":
        """For a new file, by its entry; None where new files are not encrypted. Problem without a key."""
        if not (key := sealing.writing()):
            return None
        name = sealing.name_of(replace(first, parts=key.id).path)
        return cls(name, *sealing.begin(key, name))

    @property
    def parts(self) -> bytes:
        """What the index keeps."""
        return bytes(self._table)

    def seal(self, offset: int, data: bytes | memoryview) -> list[bytes | memoryview]:
        """A part at `offset` as it is to be written; the first one behind the header."""
        nonce, sealed = self._cipher.seal(offset, data)
        frame = _FRAME.pack(len(data), nonce)
        return [self._header + frame, sealed] if not offset else [frame, sealed]

    def wrote(self, length: int) -> None:
        """A part of so many bytes is in the file."""
        self._table += _LENGTH.pack(length)


def opened(entry: Entry) -> Plain:
    """A file of the index for reading, closed at the end; raises OSError or TornError."""
    return Sealed(entry.path, entry.parts) if entry.parts else Plain(entry.path)


def found(path: Path, write: bool = False) -> Plain:
    """A file of which nothing is known, to be read, and cut with `write`; raises OSError or TornError."""
    return Sealed(path, write=write) if path.suffix == SEALED else Plain(path, write)


def key_id(path: Path) -> bytes:
    """The id of the key of an encrypted file, whether there is such a key or not; raises OSError."""
    with Plain(path) as file:
        return sealing.key_of(file.read(HEADER, 0))


def shortened(entry: Entry, size: int) -> Entry:
    """Take all but the first `size` bytes off a closed file, for which no key is needed; raises OSError."""
    parts, length = _cut(entry.parts, size) if entry.parts else (b"", size)
    os.truncate(entry.path, length)
    return replace(entry, size=size, parts=parts)


def _starts(parts: bytes) -> list[int]:
    """Where each part of a table begins in what is encrypted, and where the last one ends."""
    return [0, *accumulate(length for (length,) in _LENGTH.iter_unpack(parts[ID_SIZE:]))]


def _cut(parts: bytes, size: int) -> tuple[bytes, int]:
    """The table of those parts of which something lies before `size`, and their length in the file."""
    starts = _starts(parts)
    count = bisect_right(starts, size - 1) if size else 0
    return parts[: ID_SIZE + count * _LENGTH.size], HEADER + starts[count] + count * OVERHEAD
