"""What is compared: the product's relay, and other relays that are given the same cameras."""

import json
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

from media_rig import HERE, LOOKING, Cameras, Processes, Sink, viewer
from mts_rack import Rack

from tests.ports import free_port

CODECS = "avc1.640029,avc1.64002A,avc1.640033,avc1.42c01e,hvc1.1.6.L153.B0"
FMP4 = "f=mp4:movflags=frag_every_frame+empty_moov"
_START_SECONDS = 20
RTMP_MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
FEED_SECONDS = 0.15
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Relay(ABC):
    """Gives cameras to viewers; use as a context manager."""

    forms: tuple[str, ...] = ("rtsp",)
    looks = True
    """Whether its viewers can tell when a picture came."""

    def __init__(self, cameras: Cameras, folder: Path) -> None:
        self.cameras, self.folder = cameras, folder

    @abstractmethod
    def rows(self, form: str, each: int) -> list[dict[str, Any]]:
        """So many viewers of each camera, as the sink wants them."""

    @property
    @abstractmethod
    def processes(self) -> Processes:
        """What is measured."""

    def join(self, form: str, each: int, pause: float = 0.0, looking: int = LOOKING) -> Sink:
        """Viewers that are about to connect."""
        return Sink(self.rows(form, each), looking, pause)

    def leave(self) -> None:
        """All viewers are gone; a relay that was started for them ends."""
        return

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Stop, if it still runs."""


class Ours(Relay):
    """DSS_MTS."""

    forms = ("rtsp", "ws")

    def __enter__(self) -> Self:
        self.rack = Rack(self.folder)
        for number in range(self.cameras.count):
            self.rack.assign(f"cam{number}", self.cameras.url(number))
        self.rack.__enter__()
        for number in range(self.cameras.count):
            self.rack.wait_for(f"cam{number}", "online")
        return self

    def __exit__(self, *_: object) -> None:
        self.rack.__exit__()

    def rows(self, form: str, each: int) -> list[dict[str, Any]]:
        url = self.rack.ws if form == "ws" else self.rack.rtsp
        return [viewer(form, url(f"cam{n}")) for n in range(self.cameras.count) for _ in range(each)]

    @property
    def processes(self) -> Processes:
        assert self.rack.process
        return Processes([self.rack.process.pid])


class Server(Relay):
    """A program that serves all cameras."""

    def __enter__(self) -> Self:
        self.rtsp, self.http = free_port(), free_port()
        self.process = subprocess.Popen(self.command(), **_QUIET)
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started."""

    def rows(self, form: str, each: int) -> list[dict[str, Any]]:
        return [self.row(form, n) for n in range(self.cameras.count) for _ in range(each)]

    def row(self, form: str, number: int) -> dict[str, Any]:
        return viewer(form, f"rtsp://127.0.0.1:{self.rtsp}/cam{number}")

    @property
    def processes(self) -> Processes:
        return Processes([self.process.pid])


class GStreamer(Server):
    """GStreamer's RTSP server, fed by its own RTSP source."""

    def command(self) -> list[str]:
        urls = [self.cameras.url(n) for n in range(self.cameras.count)]
        return ["/usr/bin/python3", str(HERE / "media_gst.py"), str(self.rtsp), *urls]


class Go2rtc(Server):
    """go2rtc's RTSP server and its fMP4 over WebSocket."""

    forms = ("rtsp", "ws")
    program = ""

    def command(self) -> list[str]:
        streams = "".join(f'  cam{n}: "{self.cameras.url(n)}"\n' for n in range(self.cameras.count))
        config = self.folder / "go2rtc.yaml"
        ports = f'api: {{listen: "127.0.0.1:{self.http}"}}\nrtsp: {{listen: "127.0.0.1:{self.rtsp}"}}\n'
        config.write_text(f"{ports}streams:\n{streams}")
        return [self.program, "-config", str(config)]

    def row(self, form: str, number: int) -> dict[str, Any]:
        if form == "rtsp":
            return viewer(form, f"rtsp://127.0.0.1:{self.rtsp}/cam{number}?video")
        say = json.dumps({"type": "mse", "value": CODECS})
        return viewer(form, f"ws://127.0.0.1:{self.http}/api/ws?src=cam{number}", say)


class MediaMtx(Server):
    """MediaMTX's RTSP server."""

    program = ""

    def command(self) -> list[str]:
        config = self.folder / "mediamtx.yml"
        lines = ["logLevel: error", "rtmp: no", "hls: no", "webrtc: no", "srt: no", "rtspTransports: [tcp]"]
        lines += [f"rtspAddress: 127.0.0.1:{self.rtsp}", "paths:"]
        for n in range(self.cameras.count):
            lines.append(f'  cam{n}: {{source: "{self.cameras.url(n)}", rtspTransport: tcp}}')
        config.write_text("\n".join(lines) + "\n")
        return [self.program, str(config)]


class NginxRtmp(Server):
    """nginx with its RTMP module, fed by `ffmpeg -c copy` from each camera that somebody watches."""

    looks = False

    def command(self) -> list[str]:
        config, place = self.folder / "rtmp.conf", f"rtmp://127.0.0.1:{self.rtsp}/live/$name"
        source = self.cameras.url(0).removesuffix("cam0")
        feed = (
            f"ffmpeg -v quiet -nostdin -rtsp_transport tcp -i {source}$name -map 0:v -c copy -f flv {place}"
        )
        application = f"application live {{ live on; exec_pull {feed}; }}"
        config.write_text(
            f"load_module {RTMP_MODULE};\ndaemon off;\npid {self.folder}/rtmp.pid;\nerror_log /dev/null;\n"
            f"events {{ worker_connections 2048; }}\n"
            f"rtmp {{ server {{ listen 127.0.0.1:{self.rtsp}; {application} }} }}\n"
        )
        return ["nginx", "-p", str(self.folder), "-c", str(config)]

    def join(self, form: str, each: int, pause: float = 0.0, looking: int = LOOKING) -> Sink:
        sink = super().join(form, each, pause, looking)
        # So many programs start at once only now.
        time.sleep(FEED_SECONDS * self.cameras.count)
        return sink

    def row(self, form: str, number: int) -> dict[str, Any]:
        return viewer("rtmp", f"rtmp://127.0.0.1:{self.rtsp}/live/cam{number}")

    def __exit__(self, *_: object) -> None:
        # Its worker ends what it started only when it is asked to end.
        self.process.terminate()
        self.process.wait(20)


class Ffmpeg(Relay):
    """One `ffmpeg -c copy` for each camera, to plain TCP readers: MPEG-TS, and fMP4 beside our fMP4."""

    forms = ("rtsp", "ws")
    looks = False

    def __enter__(self) -> Self:
        self._running: list[subprocess.Popen[bytes]] = []
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def rows(self, form: str, each: int) -> list[dict[str, Any]]:
        return [viewer("listen") for _ in range(each * self.cameras.count)]

    def join(self, form: str, each: int, pause: float = 0.0, looking: int = LOOKING) -> Sink:
        sink = super().join(form, each, pause)
        kind = FMP4 if form == "ws" else "f=mpegts"
        for number in range(self.cameras.count):
            ports = sink.ports[number * each : (number + 1) * each]
            outputs = "|".join(f"[{kind}]tcp://127.0.0.1:{port}" for port in ports)
            words = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-analyzeduration", "0"]
            words += ["-i", self.cameras.url(number), "-map", "0:v", "-c", "copy", "-f", "tee", outputs]
            self._running.append(subprocess.Popen(words, **_QUIET))
        return sink

    def leave(self) -> None:
        for one in self._running:
            one.kill()
            one.wait()
        self._running.clear()

    @property
    def processes(self) -> Processes:
        return Processes(one.pid for one in self._running)


def peers(programs: dict[str, str]) -> dict[str, type[Relay]]:
    """Every relay that can be run here, by name; `programs` are those that the user gave."""
    found: dict[str, type[Relay]] = {"ffmpeg": Ffmpeg}
    if Path("/usr/lib/python3/dist-packages/gi").exists():
        found["gstreamer"] = GStreamer
    if Path(RTMP_MODULE).exists():
        found["nginx-rtmp"] = NginxRtmp
    for name, kind in (("go2rtc", Go2rtc), ("mediamtx", MediaMtx)):
        if name in programs:
            found[name] = type(name, (kind,), {"program": programs[name]})
    return found
