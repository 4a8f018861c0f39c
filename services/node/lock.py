"""One at a time: whoever is at work holds a file locked, and lets go of it even when it dies."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL = 0.05


@contextmanager
def alone(path: Path, seconds: float) -> Iterator[bool]:
    """Keep others out while the block runs; False when another one is still at work after `seconds`.

    Everybody may read the file, to ask whether it is `taken`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with path.open("w") as stream:
        path.chmod(0o644)
        end = time.monotonic() + seconds
        while not (mine := _locked(stream.fileno(), fcntl.LOCK_EX)) and time.monotonic() < end:
            time.sleep(POLL)
        yield mine


def taken(path: Path) -> bool:
    """Whether somebody is at work at this moment."""
    try:
        with path.open() as stream:
            return not _locked(stream.fileno(), fcntl.LOCK_SH)
    except OSError:
        return False


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
