"""Small tools every part of the lab uses: commands, the cache folder, locks, files, processes."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.bundle import cache as parts


class LabError(Exception):
    """The lab cannot go on: what happened, why, and what to do, in one text for the user."""


def cache() -> Path:
    """The folder for everything that may be deleted and made again."""
    return parts.root()


def run(*words: str | Path, check: bool = True, stdin: str | None = None) -> str:
    """Run a command and return its output; raises LabError with the command's own message."""
    done = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(
            f"{' '.join(map(str, words))} failed ({done.returncode}): {said or 'it gave no reason'}"
        )
    return done.stdout


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, so that two verbs never build the same thing at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def save(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file as a whole: after a power cut it is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.rename(path)


def until(true: Callable[[], bool], seconds: float, step: float = 0.02) -> bool:
    """Poll until the condition holds or the time is over; returns whether it held."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


@dataclass(frozen=True)
class Process:
    """A process of ours, told apart from a later one with the same number by its start time (clock ticks)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process with this number, now."""
        return cls(pid, _start_ticks(pid) or 0)

    @classmethod
    def load(cls, path: Path) -> "Process | None":
        """The process noted in a file, if it still lives."""
        try:
            noted: dict[str, Any] = json.loads(path.read_text())
            process = cls(int(noted["pid"]), int(noted["started"]))
        except (OSError, ValueError, KeyError):
            return None
        return process if process.alive else None

    def note(self, path: Path) -> None:
        """Write it down for later verbs."""
        save(path, json.dumps(asdict(self)))

    @property
    def alive(self) -> bool:
        return _start_ticks(self.pid) == self.started

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal it, unless it has gone."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, seconds: float = 3) -> None:
        """Ask it to end, then make it."""
        self.kill(signal.SIGTERM)
        if not until(lambda: not self.alive, seconds):
            self.kill()
            until(lambda: not self.alive, seconds)


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc(5)); None when the process has ended or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def launch(
    words: list[str], folder: Path, env: dict[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> Process:
    """Start a program that outlives this one; notes it in `folder`/process.json, its output in console.log.

    It must be nobody's child here: a verb would leave a zombie behind, a test a warning.
    """
    number = folder / ".pid"
    number.unlink(missing_ok=True)
    shell = [
        "setsid",
        "--fork",
        "sh",
        "-c",
        'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"',
        str(number),
    ]
    with (folder / "console.log").open("ab") as log:
        subprocess.run(
            [*shell, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            pass_fds=pass_fds,
            check=True,
        )
    if not until(number.exists, 5, 0.002):
        raise LabError(f"{words[0]} did not start. See {folder / 'console.log'}.")
    process = Process.of(int(number.read_text()))
    process.note(folder / "process.json")
    return process
