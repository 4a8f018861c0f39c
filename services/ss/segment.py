"""The file that is being written: only ever grows by whole fragments. Blocking; one thread at a time."""

import contextlib
import os
import threading
from dataclasses import replace
from pathlib import Path

from services.media.batch import Batch
from services.node.files import sync_folder
from services.ss import boxes, storage
from services.ss.entry import SECOND, Entry, Gop
from services.ss.storage import Sealer


class Segment:
    """One open file; `entry` may be asked for at any time and from any thread."""

    def __init__(self, first: Entry, head: bytes) -> None:
        """Make the file of an entry without GOPs; raises OSError, and leaves nothing then."""
        self._sealer = Sealer.of(first)
        self._first = self._with_parts(first)
        self._lock = threading.Lock()
        self._gops: list[Gop] = []
        self._end_tick = 0
        self.size = self._written = 0
        self._dirty = self._new = True
        path = self.path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        try:
            self._write(head)
            self._grow(len(head))
        except OSError:
            self.discard()
            raise

    @property
    def path(self) -> Path:
        return self._first.path

    @property
    def entry(self) -> Entry:
        """What it holds by now."""
        with self._lock:
            gops, end_tick, size = tuple(self._gops), self._end_tick, self.size
            one = self._with_parts(self._first)
        end = one.start
        if gops:
            end = gops[-1].at + max(0, end_tick - gops[-1].tick) * SECOND // one.timescale
        return replace(one, end=end, size=size, gops=gops)

    def append(self, batch: Batch) -> None:
        """Write a batch; on OSError the file is as it was before."""
        self._write(batch.body)
        with self._lock:
            if batch.key:
                self._gops.append(Gop(self.size, batch.at, batch.first, batch.frames))
            else:
                last = self._gops[-1]
                self._gops[-1] = Gop(last.offset, last.at, last.tick, last.frames + batch.frames)
            self._grow(len(batch.body))
            self._end_tick = batch.end

    def sync(self) -> None:
        """Make what is written survive a power cut: the data, and once the file's name."""
        if self._dirty and self._file >= 0:
            self._dirty = False
            os.fdatasync(self._file)
            if self._new:
                for folder in (self.path.parent, self.path.parents[1], self.path.parents[2]):
                    sync_folder(folder)
                self._new = False

    def close(self) -> Entry:
        """Make it durable and let go of it."""
        try:
            self.sync()
        finally:
            self._release()
        return self.entry

    def discard(self) -> None:
        """Take the file away."""
        self._release()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _with_parts(self, entry: Entry) -> Entry:
        return replace(entry, parts=self._sealer.parts) if self._sealer else entry

    def _grow(self, length: int) -> None:
        self.size += length
        if self._sealer:
            self._sealer.wrote(length)

    def _write(self, data: bytes | memoryview) -> None:
        """Add `data` with one call; on OSError the file is as it was before."""
        parts = self._sealer.seal(self.size, data) if self._sealer else [data]
        wanted = sum(len(part) for part in parts)
        try:
            written = os.writev(self._file, parts)
            while written < wanted:
                # What a full disk or a signal left out.
                rest = memoryview(b"".join(parts))[written:]
                written += os.write(self._file, rest)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._written)
            raise
        self._written += wanted
        self._dirty = True


def head(init: bytes, mime: str, timescale: int, kind: str, source: str = "") -> bytes:
    """What a file begins with."""
    return init + boxes.note(mime, timescale, kind, source)


def shorten(entry: Entry) -> Entry | None:
    """Take the last GOP off a closed file, as it was recorded again; None if nothing is left of it."""
    if len(entry.gops) < 2:
        entry.path.unlink(missing_ok=True)
        return None
    last = entry.gops[-1]
    left = storage.shortened(entry, last.offset)
    return replace(left, end=last.at, gops=entry.gops[:-1])
