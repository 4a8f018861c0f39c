"""Cameras and viewers in processes of their own, and what the processes between them cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import media_clip
import psutil

HERE = Path(__file__).resolve().parent
WARM_UP, SECONDS = 2.0, 5.0
LOOKING = 10
"""How many of the viewers look at their pictures; the others must cost next to nothing."""


def progress(text: str) -> None:
    """Tell whoever waits what is going on."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class NotServedError(AssertionError):
    """A relay did not answer its viewers, which gave up then, or left some without pictures."""


class Program:
    """A Python program of this folder that is spoken with in lines of JSON."""

    gone = AssertionError
    """What is raised when it has ended by itself."""

    def __init__(self, name: str, *words: str) -> None:
        environment = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parent / 'peers'}"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / name), *words],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.process.communicate(timeout=20)
            raise self.gone(f"{self.process.args!r} has ended")
        return dict(json.loads(line))

    def end(self) -> str:
        """Let it end; what it said at last."""
        return self.process.communicate(timeout=20)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class Cameras(Program):
    """So many cameras, `burst` or `paced`, of 4 Mbit/s or `small`."""

    def __init__(self, folder: Path, count: int, how: str = "burst", size: str = "large") -> None:
        clip = folder / f"{size}.h264"
        if not clip.exists():
            clip.write_bytes(media_clip.encode(size))
        super().__init__("media_cameras.py", str(clip), str(count), how)
        self.count, self.how = count, how
        self._port = int(self.hear()["port"])

    def url(self, number: int) -> str:
        return f"rtsp://127.0.0.1:{self._port}/cam{number}"

    def late(self) -> float:
        """By how many ms the latest picture since the last call was late."""
        self.tell("late")
        return float(self.hear()["late"])


@dataclass(frozen=True)
class Seen:
    """CPU seconds, Gbit, latencies and first pictures (ms), pictures lost, MB, how late cameras were (ms)."""

    cpu: float
    gbit: float
    latency: list[float]
    first: list[float]
    lost: int
    memory: float
    late: float


def viewer(form: str, url: str = "", say: str = "") -> dict[str, Any]:
    """One row for the sink."""
    return {"form": form, "url": url, "say": say}


class Sink(Program):
    """Viewers that are connected, `pause` seconds after each other; `rows` as `viewer` makes them."""

    gone = NotServedError

    def __init__(self, rows: list[dict[str, Any]], looking: int = LOOKING, pause: float = 0.0) -> None:
        super().__init__("media_sink.py", str(pause))
        every = max(1, len(rows) // looking)
        self.count = len(rows)
        self.tell(json.dumps([row | {"look": n % every == 0} for n, row in enumerate(rows)]))
        self.ports = [int(port) for port in self.hear()["ports"]]

    def watch(self, pids: "Processes", cameras: Cameras, seconds: float = SECONDS) -> Seen:
        """What the processes cost while everybody watches."""
        assert self.hear()["watching"] == self.count
        time.sleep(WARM_UP)
        first = self._report()["first"]
        cameras.late()
        spent = pids.cpu()
        self._report()
        time.sleep(seconds)
        spent = pids.cpu() - spent
        found = self._report()
        if found["silent"]:
            raise NotServedError(f"{found['silent']} of {self.count} viewers get nothing")
        gbit, first = found["bytes"] * 8 / 1e9, first + found["first"]
        return Seen(spent, gbit, found["latency"], first, found["lost"], pids.memory(), cameras.late())

    def _report(self) -> dict[str, Any]:
        self.tell("report")
        return self.hear()


class Processes:
    """The processes that are measured, with their children."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)

    def _all(self) -> list[psutil.Process]:
        roots = [psutil.Process(pid) for pid in self._pids]
        return [*roots, *(child for root in roots for child in root.children(recursive=True))]

    def cpu(self) -> float:
        """Seconds on a processor of all threads until now, to the nanosecond."""
        tasks = [task for one in self._all() for task in Path(f"/proc/{one.pid}/task").glob("*/schedstat")]
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory(self) -> float:
        """Proportional set size of all, in MB."""
        return sum(float(one.memory_full_info().pss) for one in self._all()) / 1e6


def percentile(values: list[float], share: float) -> float:
    """The value that so much (0..1) of the values do not exceed; NaN of nothing."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")
