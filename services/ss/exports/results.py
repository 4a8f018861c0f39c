"""The bytes of results, encrypted or not, which unlike recordings are written anywhere in the file. Blocking.

An encrypted one has blocks of 64 KiB behind its header, each as nonce, cipher text and tag. A block that is
written again gets another nonce. One that a power cut tore while it was written again is found by `whole`.
"""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from services.ss import sealing
from services.ss.boxes import TornError
from services.ss.sealing import HEADER, MAGIC, NONCE, TAG, DamagedError, KeyMissingError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

BUFFER = 1024 * 1024
BLOCK = 64 * 1024
_OVERHEAD = NONCE + TAG
_STORED = BLOCK + _OVERHEAD


class Blocks(io.RawIOBase):
    """An encrypted file as what is in it; what is written is in the file at once."""

    def __init__(self, number: int, path: Path) -> None:
        """Own the open file `number`; KeyMissingError, TornError."""
        self._number, self._path = number, path
        self._cipher = sealing.known(os.pread(number, HEADER, 0), _name(path))
        self._place = 0
        self._last: tuple[int, bytes] = -1, b""

    @property
    def size(self) -> int:
        return _inside(os.fstat(self._number).st_size)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._number)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = begin + offset
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        done, end = 0, min(len(target), self.size - self._place)
        while done < end:
            block, within = divmod(self._place, BLOCK)
            piece = self.block(block)[within : within + end - done]
            target[done : done + len(piece)] = piece
            done += len(piece)
            self._place += len(piece)
        return done

    def write(self, data: "ReadableBuffer") -> int:
        source = memoryview(data).cast("B")
        if source and self._place > self.size:
            self._extend(self._place)
        self._put(self._place, source)
        self._place += len(source)
        return len(source)

    def truncate(self, size: int | None = None) -> int:
        wanted, now = self._place if size is None else size, self.size
        block, within = divmod(wanted, BLOCK)
        if wanted > now:
            self._extend(wanted)
        elif wanted < now:
            kept = self.block(block)[:within] if within else b""
            os.ftruncate(self._number, HEADER + block * _STORED)
            self._last = -1, b""
            self._store(block, kept)
        return wanted

    def forget(self) -> None:
        """Have the disk asked for what is read next."""
        self._last = -1, b""

    def block(self, number: int) -> bytes:
        """What is in a block; DamagedError, TornError behind the end."""
        if self._last[0] != number:
            data = os.pread(self._number, _STORED, HEADER + number * _STORED)
            if len(data) <= _OVERHEAD:
                raise TornError(f"{self._path} is shorter than it was")
            try:
                self._last = number, self._cipher.open(number, data[:NONCE], data[NONCE:])
            except DamagedError as error:
                sealing.notice(self._path, error)
                raise
        return self._last[1]

    def _extend(self, size: int) -> None:
        while (now := self.size) < size:
            self._put(now, memoryview(bytes(min(BUFFER, size - now))))

    def _put(self, place: int, data: memoryview) -> None:
        while data:
            block, within = divmod(place, BLOCK)
            piece = data[: BLOCK - within]
            old = b"" if len(piece) == BLOCK or self.size <= block * BLOCK else self.block(block)
            self._store(block, old[:within] + bytes(piece) + old[within + len(piece) :])
            place, data = place + len(piece), data[len(piece) :]

    def _store(self, block: int, plain: bytes) -> None:
        if not plain:
            return
        data, place = memoryview(b"".join(self._cipher.seal(block, plain))), HEADER + block * _STORED
        while data:
            written = os.pwrite(self._number, data, place)
            data, place = data[written:], place + written
        self._last = block, plain


class At:
    """An open result as boxes reads files."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size = file, size

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on; OSError, TornError."""
        if not _blocks(self._file):
            return os.pread(self._file.fileno(), size, offset)
        self._file.seek(offset)
        return self._file.read(size)


def begun(number: int, path: Path, anew: bool) -> BinaryIO:
    """Own the open file `number` to write in it; `anew` empties it first, encrypted if new files are."""
    if anew:
        os.ftruncate(number, 0)
        if key := sealing.writing():
            os.pwrite(number, sealing.begin(key, _name(path))[0], 0)
    return _buffered(number, path)


def opened(path: Path) -> BinaryIO:
    """A result to read and to change; OSError, TornError."""
    return _buffered(os.open(path, os.O_RDWR), path)


def encrypted(path: Path) -> bool:
    """Whether a result is; OSError."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def size(path: Path) -> int:
    """Bytes that are in a result, for which no key is needed; OSError."""
    length = path.stat().st_size
    return _inside(length) if encrypted(path) else length


def whole(path: Path, places: Iterable[int]) -> bool:
    """Whether those blocks of an encrypted result that hold these places can be read; OSError."""
    try:
        with opened(path) as file:
            raw = _blocks(file)
            return raw is None or all(raw.block(place // BLOCK) for place in places)
    except (KeyMissingError, TornError):
        return False


def forget(file: BinaryIO) -> None:
    """What is only in memory proves nothing of the disk."""
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if raw := _blocks(file):
        raw.forget()


def _buffered(number: int, path: Path) -> BinaryIO:
    if os.pread(number, len(MAGIC), 0) != MAGIC:
        return os.fdopen(number, "rb+", BUFFER)
    try:
        return cast(BinaryIO, io.BufferedRandom(Blocks(number, path), BUFFER))
    except (OSError, TornError):
        os.close(number)
        raise


def _blocks(file: BinaryIO) -> Blocks | None:
    raw = getattr(file, "raw", None)
    return raw if isinstance(raw, Blocks) else None


def _name(path: Path) -> str:
    """What the blocks are bound to: the folder of all exports, and the id."""
    return f"{path.parents[1].name}/{path.parent.name}"


def _inside(length: int) -> int:
    """How much is in an encrypted file of this length."""
    blocks, rest = divmod(max(0, length - HEADER), _STORED)
    return blocks * BLOCK + max(0, rest - _OVERHEAD)
