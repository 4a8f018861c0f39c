"""A lab camera with storage of its own behind a link that can be cut, for a node that records."""

import socket
import threading
import time
from typing import Any

from mts_rack import PASSWORD
from ss_rack import CountingCamera, Store

from tests.ports import free_port

PROGRAM = (
    "import sys, threading\n"
    "from pathlib import Path\n"
    "from lab.device import rtsp\n"
    "from lab.device.card import Card\n"
    "from lab.device.cgi import Device, server\n"
    "rtsp_port, http_port, folder, offset, keep, codec = sys.argv[1:7]\n"
    f"device = Device('cam', 'admin', '{PASSWORD}', float(offset))\n"
    "if folder:\n"
    "    device.card = Card(Path(folder), int(keep))\n"
    "threading.Thread(target=server(device, int(http_port)).serve_forever, daemon=True).start()\n"
    f"rtsp.serve(codec, 'cam', 'admin', '{PASSWORD}', 'Lab', device.time, int(rtsp_port),\n"
    "           card=device.card, kept='1')\n"
)


class Link:
    """A TCP port that leads to another one, until it is cut: nothing passes then, and nobody is told."""

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self.cut = threading.Event()
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.cut.set()
        for one in (self._door, *self._ends):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                return
            self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if self.cut.is_set():
                    break
                sink.sendall(data)
        except OSError:
            pass
        # Only a link that is whole carries the farewell.
        while self.cut.is_set():
            time.sleep(0.05)
        for one in (source, sink):
            one.close()


class CardCamera(CountingCamera):
    """A counting camera that records its stream itself; `offset` seconds ahead, `keep` files of 20 s."""

    program = PROGRAM

    def __init__(self, folder: str, offset: float = 0.0, keep: int = 1000, codec: str = "h264") -> None:
        self.http_port = free_port()
        super().__init__(str(self.http_port), folder, str(offset), str(keep), codec)
        self.links = Link(self.port), Link(self.http_port)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.links[0].port}/cam/realmonitor?channel=1&subtype=1"

    def cut(self) -> None:
        """The link to the camera is gone."""
        for one in self.links:
            one.cut.set()

    def mend(self) -> None:
        for one in self.links:
            one.cut.clear()

    def kill(self) -> None:
        for one in self.links:
            one.close()
        super().kill()


def recorded(store: Store, channel: str, camera: CardCamera, **plan: Any) -> CardCamera:  # noqa: ANN401
    """Have a camera with storage recorded."""
    store.cameras.append(camera)
    store.assign(channel, camera.url)
    here = {"host": "127.0.0.1", "port": camera.links[1].port, "rtsp_port": camera.links[0].port, "number": 1}
    week: list[list[Any]] = [[] for _ in range(7)]
    planned = {"mode": "continuous", "week": week, "pre": 5, "post": 5, "zone": "UTC"} | plan
    more = {"storage": here, "record": "continuous", "plan": planned}
    store.channels = [row | more if row["id"] == channel else row for row in store.channels]
    return camera
