"""Putting a new folder in the place of an old one so that the name never stands for nothing."""

import ctypes
import os
import shutil
from pathlib import Path

from services.bundle import cache

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def publish(working: Path, final: Path) -> None:
    """Give `working` the name `final`; where a folder has it already, the two change places in one step."""
    cache.flush(working)
    if final.exists():
        _exchange(working, final)
        shutil.rmtree(working)
    else:
        working.rename(final)
    cache.flush(final.parent)


def link(name: Path, target: str) -> None:
    """Let the symbolic link `name` point to `target`, replacing an older one in one step."""
    working = name.with_name(f".{name.name}.{os.getpid()}")
    working.unlink(missing_ok=True)
    working.symlink_to(target)
    working.rename(name)
    cache.flush(name.parent)


def _exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE, which Python does not offer."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
