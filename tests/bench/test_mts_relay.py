"""CPU per delivered Gbit, one 4 Mbit/s camera to ten viewers, beside other relays in the same minutes."""

import contextlib
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mts_player import Player, websocket
from mts_rack import PASSWORD, Camera, Rack, free_port

VIEWERS = 10
ROUNDS = 3
SECONDS = 5.0
WARM_UP = 1.5

MEASURED = "CPU s per Gbit, 1 camera x 10 viewers"
Open = Callable[[], list[socket.socket]]


def cpu(pid: int) -> float:
    """Seconds on a processor of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Sink:
    """Reads and counts what arrives on many sockets."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.bytes = 0
        self._sockets = sockets
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _read(self) -> None:
        buffer = bytearray(1 << 18)
        with selectors.DefaultSelector() as selector:
            for one in self._sockets:
                one.setblocking(False)
                selector.register(one, selectors.EVENT_READ)
            while not self._end.is_set():
                for key, _ in selector.select(0.1):
                    with contextlib.suppress(ConnectionError):
                        self.bytes += socket.socket.recv_into(key.fileobj, buffer)  # type: ignore[arg-type]


def cost(pid: int, open_viewers: Open) -> tuple[float, float]:
    """CPU seconds of the relay and Gbit delivered, while the viewers watch."""
    sink = Sink(open_viewers())
    try:
        time.sleep(WARM_UP)
        spent, received = cpu(pid), sink.bytes
        time.sleep(SECONDS)
        return cpu(pid) - spent, (sink.bytes - received) * 8 / 1e9
    finally:
        sink.close()


class Ours:
    """The product's relay."""

    def __init__(self, rack: Rack, form: str) -> None:
        self._rack = rack
        self._form = form

    def measure(self) -> tuple[float, float]:
        assert self._rack.process
        return cost(self._rack.process.pid, self._open)

    def _open(self) -> list[socket.socket]:
        if self._form == "ws":
            return [websocket(self._rack.ws("cam")) for _ in range(VIEWERS)]
        players = [Player(self._rack.ports["rtsp"]) for _ in range(VIEWERS)]
        for player in players:
            player.play(self._rack.rtsp("cam"), "0-1")
        return [player.socket for player in players]


class Ffmpeg:
    """ffmpeg copying one camera to ten TCP readers: MPEG-TS against our RTSP, fMP4 against our fMP4."""

    def __init__(self, camera: Camera, form: str) -> None:
        self._url = camera.url.replace("rtsp://", f"rtsp://admin:{PASSWORD}@")
        self._format = "f=mpegts" if form == "rtsp" else "f=mp4:movflags=frag_every_frame+empty_moov"

    def measure(self) -> tuple[float, float]:
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(VIEWERS)]
        outputs = [f"[{self._format}]tcp://127.0.0.1:{one.getsockname()[1]}" for one in listeners]
        words = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", self._url]
        words += ["-map", "0:v", "-c", "copy", "-f", "tee", "|".join(outputs)]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        try:
            return cost(process.pid, lambda: [_accepted(one) for one in listeners])
        finally:
            process.kill()
            process.wait()
            for one in listeners:
                one.close()


class Go2rtc:
    """go2rtc's RTSP server and its fMP4 over WebSocket."""

    def __init__(self, program: str, camera: Camera, form: str, folder: Path) -> None:
        self._form = form
        self._api, self._rtsp = free_port(), free_port()
        url = camera.url.replace("rtsp://", f"rtsp://admin:{PASSWORD}@")
        config = folder / "go2rtc.yaml"
        config.write_text(
            f'api: {{listen: "127.0.0.1:{self._api}"}}\nrtsp: {{listen: "127.0.0.1:{self._rtsp}"}}\n'
            f'streams: {{cam: "{url}"}}\n'
        )
        self.process = subprocess.Popen(
            [program, "-config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1)

    def measure(self) -> tuple[float, float]:
        return cost(self.process.pid, self._open)

    def _open(self) -> list[socket.socket]:
        if self._form == "ws":
            url = f"ws://127.0.0.1:{self._api}/api/ws?src=cam"
            wanted = (
                b'{"type":"mse","value":"avc1.640029,avc1.64002A,avc1.640033,avc1.42c01e,hvc1.1.6.L153.B0"}'
            )
            return [websocket(url, wanted) for _ in range(VIEWERS)]
        players = [Player(self._rtsp) for _ in range(VIEWERS)]
        for player in players:
            player.play(f"rtsp://127.0.0.1:{self._rtsp}/cam?video", "0-1")
        return [player.socket for player in players]


def _accepted(listener: socket.socket) -> socket.socket:
    listener.settimeout(20)
    return listener.accept()[0]


@pytest.fixture(params=["burst", "paced"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Rack, Camera, str]]:
    """Our relay with a camera that sends whole frames, and with one that paces its packets."""
    with Rack(tmp_path) as rack:
        camera = rack.camera("cam", "640x360", "4000", *(["paced"] if request.param == "paced" else []))
        yield rack, camera, request.param


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", ["rtsp", "ws"])
def test_relay_costs_less_than_other_relays(
    source: tuple[Rack, Camera, str],
    form: str,
    programs: dict[str, str],
    record_ratio: Callable[[str, str, float, str], None],
    tmp_path: Path,
) -> None:
    rack, camera, kind = source
    relays: dict[str, Ours | Ffmpeg | Go2rtc] = {"ours": Ours(rack, form), "ffmpeg": Ffmpeg(camera, form)}
    if "go2rtc" in programs:
        relays["go2rtc"] = Go2rtc(programs["go2rtc"], camera, form, tmp_path)
    spent = dict.fromkeys(relays, 0.0)
    delivered = dict.fromkeys(relays, 0.0)
    try:
        for _ in range(ROUNDS):
            for name, relay in relays.items():
                seconds, gbit = relay.measure()
                spent[name] += seconds
                delivered[name] += gbit
    finally:
        if isinstance(other := relays.get("go2rtc"), Go2rtc):
            other.process.kill()
            other.process.wait()
    per_gbit = {name: spent[name] / delivered[name] for name in relays}
    assert all(gbit > 0.8 * delivered["ours"] for gbit in delivered.values()), delivered
    ratios = {name: per_gbit["ours"] / per_gbit[name] for name in relays if name != "ours"}
    for name, ratio in ratios.items():
        record_ratio(f"mts {form} {kind}", name, ratio, MEASURED)
    assert max(ratios.values()) < 1, ratios
