"""What every process has that decodes what strangers send: it steps back, is bounded, and dies first."""

import contextlib
import io
import os
import resource
import sys
from pathlib import Path

_NICE = 15
"""How far it steps back behind relaying and recording."""
_MEMORY = 1 << 30


def command(module: str, *words: str) -> tuple[str, ...]:
    """The line that starts a module of ours as a worker."""
    return (sys.executable, "-OO", "-m", module, *words)


def environment() -> dict[str, str]:
    """What a worker may know of its service: nothing but where programs are."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


def step_back() -> None:
    """Called first in the worker."""
    # A unit's sandbox may refuse either; its own limits hold then.
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    bounded()


def bounded() -> None:
    """Called first in a worker whose viewers wait for what it does."""
    # Where memory runs out, it is this process that goes, not the one that records.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def exactly(reader: io.FileIO, size: int) -> bytes | None:
    """So many bytes; None when the other end has gone."""
    parts = bytearray()
    while len(parts) < size:
        data = reader.read(size - len(parts))
        if not data:
            return None
        parts += data
    return bytes(parts)
