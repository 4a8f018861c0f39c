"""A node that records: DSS_MTS and DSS_SS, and lab cameras whose pictures carry their numbers."""

import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from mts_rack import HERE, NODE, PASSWORD, PATH, Camera, Rack

from lab import counter
from services import recording_keys
from services.media.plans import CONTINUOUS, Plan
from tests.ports import free_port

SUB_STREAM = "/cam/realmonitor?channel=1&subtype=1"
PROGRAM = (
    "import sys, time\n"
    "from lab.device import rtsp\n"
    f"rtsp.serve(sys.argv[2], 'cam', 'admin', '{PASSWORD}', 'Lab', time.time, int(sys.argv[1]))\n"
)


class CountingCamera(Camera):
    """640 x 360, 25 pictures a second, a key frame each two seconds, each picture numbered."""

    program = PROGRAM

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}{SUB_STREAM}"

    def start(self) -> None:
        words = ["/usr/bin/python3", "-c", self.program, str(self.port), *(self.words or ("h264",))]
        environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
        self.process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the camera does not listen")


class Store(Rack):
    """A rack whose node also runs DSS_SS."""

    def __init__(
        self, folder: Path, settings: dict[str, Any] | None = None, launch: tuple[str, ...] = ()
    ) -> None:
        super().__init__(folder, {"stall_seconds": 2})
        self.ss_port = free_port()
        self.ss_ports = {"http": self.ss_port, "rtsp": free_port(), "rtsps": free_port()}
        self.recordings = folder / "recordings"
        self.recorder: subprocess.Popen[bytes] | None = None
        self._ss_settings = {"folders": [str(self.recordings)]} | (settings or {})
        self._launch = launch

    def __enter__(self) -> "Store":
        super().__enter__()
        self.recordings.mkdir(exist_ok=True)
        self.start_ss()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_ss()
        super().__exit__()

    def counting(self, channel: str, *words: str) -> CountingCamera:
        """Start a camera and have it recorded."""
        camera = CountingCamera(*words)
        self.cameras.append(camera)
        self.assign(channel, camera.url)
        self.record(channel)
        return camera

    def streaming(self, channel: str, streams: str) -> tuple[CountingCamera, CountingCamera]:
        """A main stream of 1280 x 720 and a sub stream, each of a camera of its own, recorded as said."""
        main, sub = CountingCamera(), CountingCamera()
        self.cameras += [main, sub]
        self.assign(channel, sub.url)
        source = {"main": f"rtsp://127.0.0.1:{main.port}{PATH}", "sub": sub.url}
        plan = Plan(CONTINUOUS, streams=streams).as_dict()
        self.channels = [
            row | {"source": source, "plan": plan} if row["id"] == channel else row for row in self.channels
        ]
        return main, sub

    def record(self, channel: str, kind: str = "continuous") -> None:
        """Plan a channel."""
        self.channels = [row | {"record": kind} if row["id"] == channel else row for row in self.channels]

    @property
    def keys(self) -> Path:
        """The credential with the keys for recordings."""
        return self.folder / "credentials" / recording_keys.NAME

    def hold(self, *keys: recording_keys.Key) -> None:
        """What the deployment hands to DSS_SS at its next start."""
        self.keys.write_text(recording_keys.written(keys))

    def start_ss(self) -> None:
        """Start DSS_SS and wait until it answers."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        data = {"id": "ss", "code": "DSS_SS", "ports": self.ss_ports, "settings": self._ss_settings}
        (self.folder / "etc" / "services" / "ss.json").write_text(json.dumps(data))
        if not self.keys.exists():
            self.hold(recording_keys.new())
        environment = os.environ | {
            "DSS_ETC": str(self.folder / "etc"),
            "CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
            "STATE_DIRECTORY": str(state),
            "PYTHONOPTIMIZE": "2",
        }
        command = [*self._launch, sys.executable, "-m", "services.ss"]
        with (self.folder / "ss.log").open("ab") as log:
            self.recorder = subprocess.Popen(command, env=environment, cwd=HERE.parents[1], stderr=log)
        for _ in range(200):
            try:
                self.ask("/state")
                return
            except OSError:
                assert self.recorder.poll() is None, (self.folder / "ss.log").read_text()
                time.sleep(0.05)
        raise AssertionError("DSS_SS does not answer")

    def stop_ss(self, how: int = signal.SIGTERM) -> None:
        if self.recorder:
            self.recorder.send_signal(how)
            self.recorder.wait(15)
            self.recorder = None

    def ask(self, path: str, public: bool = False) -> Any:  # noqa: ANN401 - JSON
        """JSON of DSS_SS."""
        headers = {} if public else {"Authorization": f"Bearer {self.node_token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.ss_port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def timeline(self, channel: str, start: float, end: float) -> dict[str, Any]:
        """What is recorded from `start` to `end`, seconds since 1970."""
        found = self.ask(f"/recorded/{channel}?from={int(start * 1000)}&to={int(end * 1000)}")
        return dict(found)

    def pass_for(self, channel: str) -> str:
        """A token for recordings."""
        return self.token(f"recording/{channel}")

    def playback(self, channel: str, *query: str, tls: bool = False) -> str:
        """A URL for RTSP players, with a fresh token."""
        scheme = "rtsps" if tls else "rtsp"
        words = "&".join((f"token={self.pass_for(channel)}", *query))
        return f"{scheme}://127.0.0.1:{self.ss_ports[scheme]}/recording/{channel}?{words}"

    def files(self, channel: str) -> list[Path]:
        """The channel's files in the order of recording."""
        return sorted((self.recordings / channel).glob("*/*.mp4"))

    def wait_bytes(self, channel: str, more: int = 1, seconds: float = 30) -> None:
        """Return once so many more bytes of a channel are written by the DSS_SS that runs now."""
        until, first = time.monotonic() + seconds, -1
        while time.monotonic() < until:
            rows = [row for row in self.ask("/state")["recorders"] if row["channel"] == channel]
            if rows and first < 0:
                first = rows[0]["bytes"]
            if rows and rows[0]["bytes"] >= first + more:
                return
            time.sleep(0.1)
        raise AssertionError(f"nothing of {channel} is written: {self.ask('/state')}")


def numbers(data: bytes | Path, form: str = "mp4") -> list[int]:
    """The burnt-in numbers of every picture of a file; raises on any decoder error."""
    source = io.BytesIO(data) if isinstance(data, bytes) else str(data)
    with av.open(source, "r", format=form) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        # What the lab's H.265 encoder says of itself is an error to a libav as strict as that.
        stream.codec_context.options = {"err_detect": "explode"} if form != "hevc" else {}
        return [counter.read_frame(frame) for frame in container.decode(video=0)]


def losses(found: list[int]) -> list[int]:
    """How many pictures are missing at each place where some are; negative ones were recorded twice."""
    return [after - before - 1 for before, after in pairwise(found) if after != before + 1]


def check_index(store: Store) -> None:
    """The index of a store at rest holds exactly the files, with their sizes."""
    with sqlite3.connect(store.folder / "state" / "index.db") as base:
        query = "SELECT channel || '/' || printf('%08d', seq), size FROM files"
        rows = dict(base.execute(query).fetchall())
    files = store.recordings.glob("*/*/*.mp4")
    assert rows == {f"{path.parts[-3]}/{path.name[:8]}": path.stat().st_size for path in files}


def kill_recorder(store: Store) -> None:
    """Kill DSS_SS, and start it again."""
    store.stop_ss(signal.SIGKILL)
    store.start_ss()


def kill_relay(store: Store) -> None:
    """Kill DSS_MTS, and start it again."""
    assert store.process
    store.process.kill()
    store.process.wait()
    store.start()


__all__ = [
    "NODE",
    "CountingCamera",
    "Store",
    "check_index",
    "kill_recorder",
    "kill_relay",
    "losses",
    "numbers",
]
