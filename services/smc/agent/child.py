"""Another program, run to its end without holding up the agent."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status and what it wrote to standard output and error."""

    status: int
    out: bytes
    errors: str


async def run(words: Sequence[str], seconds: float, given: bytes = b"") -> Ended:
    """Run a program with `given` as its input; TimeoutError, and its end, after so many `seconds`.

    With it ends what it has started: whoever holds its output open would be waited for, too.
    """
    child = await asyncio.create_subprocess_exec(
        *words, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            out, errors = await child.communicate(given)
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    return Ended(child.returncode or 0, out, errors.decode(errors="replace").strip())
