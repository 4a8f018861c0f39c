"""One at a time changes a node's settings or certificates."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from services.node import change_record

LOCK_SECONDS, POLL = 5.0, 0.25


@contextmanager
def alone() -> Iterator[bool]:
    """Keep others out while the block runs; False when another one stays at work."""
    change_record.RECORDS.mkdir(parents=True, exist_ok=True, mode=0o755)
    with (change_record.RECORDS / ".lock").open("w") as lock:
        end = time.monotonic() + LOCK_SECONDS
        while not (mine := _locked(lock.fileno())) and time.monotonic() < end:
            time.sleep(POLL)
        yield mine


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
