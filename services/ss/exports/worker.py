"""`python -m services.ss.exports.worker`: writes one file of an export and reads it back, or hashes a result.

It runs beside DSS_SS, so that recording never waits. Its task comes as one line of JSON; it ends when its
input ends, which is when DSS_SS is gone. It answers in lines of JSON: `written` (bytes of the recording so
far), `verifying`, and at last `made` or `problem`.
"""

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from av.error import FFmpegError

from services.ss import sealing
from services.ss.boxes import TornError
from services.ss.exports import pieces, results, writing
from services.ss.exports.pieces import Piece
from services.ss.exports.verifying import Proof, VerifyError, sums, verify
from services.ss.exports.window import Window
from services.ss.exports.writing import Written

TELL_SECONDS = 0.25
LOOK_BYTES = 16 * 1024 * 1024
"""How often it is looked whether the disk keeps its reserve."""
GENTLE = 10


class FullError(Exception):
    """The disk would not keep its reserve."""


def main() -> None:
    """One task, then the end."""
    # Recording goes first; a sandbox that forbids to say so is no reason to stop.
    with contextlib.suppress(OSError):
        os.nice(GENTLE)
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        proof = summed(Path(task["sum"])) if "sum" in task else asdict(run(task))
    except writing.SourceGoneError as error:
        _tell(problem="source", why=str(error))
    except (VerifyError, FFmpegError, TornError) as error:
        _tell(problem="verify", why=str(error))
    except FullError as error:
        _tell(problem="disk", why=str(error))
    except OSError as error:
        _tell(problem="disk", why=error.strerror or str(error))
    else:
        _tell(made=proof)


def run(task: dict[str, Any]) -> Proof:
    """Write the piece at `offset` of the result, make it durable, read it back."""
    sealing.use(bool(task["encrypt"]))
    piece, offset = pieces.read(task["piece"]), int(task["offset"])
    with _result(Path(task["result"]), bool(task["anew"])) as file:
        file.truncate(offset)
        size, written = _write(file, offset, piece, task)
        file.flush()
        os.fsync(file.fileno())
        _tell(verifying=size)
        return verify(file, offset, size, piece, task["format"], written)


def summed(path: Path) -> dict[str, Any]:
    """The hash of a whole result, read from the disk."""
    with results.opened(path) as file:
        results.forget(file)
        return {"sha256": sums(Window(file, 0))[1]}


def _write(file: BinaryIO, offset: int, piece: Piece, task: dict[str, Any]) -> tuple[int, Written]:
    """Bytes of the file, and what went in."""
    window = Window(file, offset)
    guard = _Guard(file, int(task["reserve"]))
    written = writing.write(piece, task["format"], window, guard.wrote)
    guard.look()
    return window.high, written


def _result(path: Path, anew: bool) -> BinaryIO:
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    # One that was killed may still hold it for a moment.
    fcntl.flock(number, fcntl.LOCK_EX)
    return results.begun(number, path, anew)


class _Guard:
    """Tells how far it is, and stops before the disk's reserve is touched."""

    def __init__(self, file: BinaryIO, reserve: int) -> None:
        self._file = file
        self._reserve = reserve
        self._written = self._looked = 0
        self._told = 0.0

    def wrote(self, more: int) -> None:
        """So many more bytes of the recording are in the file."""
        self._written += more
        if self._written - self._looked >= LOOK_BYTES:
            self._looked = self._written
            self.look()
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            _tell(written=self._written)

    def look(self) -> None:
        """Raise FullError if the disk has less than its reserve."""
        # Little is kept back in memory, so that what recording makes durable does not wait behind it.
        os.fdatasync(self._file.fileno())
        now = os.fstatvfs(self._file.fileno())
        if now.f_bavail * now.f_frsize < self._reserve:
            raise FullError("something else filled the disk up to its reserve")


def _tell(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    # Not through the buffer: its lock, held here for ever, would keep the interpreter from ending.
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
