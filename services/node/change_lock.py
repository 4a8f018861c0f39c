"""One at a time changes a node's settings or certificates."""

from contextlib import AbstractContextManager

from services.node import change_record, lock

LOCK_SECONDS = 5.0


def alone() -> AbstractContextManager[bool]:
    """Keep others out while the block runs; False when another one stays at work."""
    return lock.alone(change_record.RECORDS / ".lock", LOCK_SECONDS)
