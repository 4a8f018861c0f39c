"""A node with a real DSS_MTS and real cameras on loopback; DSS_DMS is a stand-in for its interface."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.runtime.live_token import LiveToken, sign_live
from tests.ports import free_port

HERE = Path(__file__).resolve().parent
PROBE = ("ffprobe", "-v", "error", "-rtsp_transport", "tcp")
"""The beginning of a line that asks ffprobe about a stream."""
NODE = "main-1"
PASSWORD = "Camera.2468"
PATH = "/cam/realmonitor?channel=1&subtype=0"


class Camera:
    """One GStreamer camera; it can be killed and come back on the same port."""

    def __init__(self, *words: str) -> None:
        self.port = free_port()
        self.words = words
        self.process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}{PATH}"

    def start(self) -> None:
        program = ["/usr/bin/python3", str(HERE / "mts_camera.py")]
        command = [*program, str(self.port), PASSWORD, *self.words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Rack:
    """One node's MTS with its configuration, tokens and cameras; use as a context manager."""

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.channels: list[dict[str, Any]] = []
        self.players: list[dict[str, Any]] = []
        """Accounts of RTSP players, as DSS_DMS tells them."""
        self.node_token = secrets.token_hex(16)
        self.media_key = Ed25519PrivateKey.generate()
        self.ports = {name: free_port() for name in ("http", "rtsp", "rtsps", "webrtc")}
        self.cameras: list[Camera] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.dms: ThreadingHTTPServer | None = None
        self.dms_port = free_port()
        self.has_media_key = True
        self._settings = settings or {}

    def __enter__(self) -> "Rack":
        self._write()
        self.start_dms()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        for camera in self.cameras:
            camera.kill()
        self.stop_dms()

    def camera(self, channel: str, *words: str, password: str = PASSWORD, wait: bool = True) -> Camera:
        """Start a camera and assign it as the main and the sub stream of a channel."""
        camera = Camera(*words)
        self.cameras.append(camera)
        self.assign(channel, camera.url, password)
        if wait:
            self.wait_for(channel, "online")
        return camera

    def assign(self, channel: str, url: str, password: str = PASSWORD) -> None:
        """Have the DMS list a channel."""
        row = {"id": channel, "device": f"device of {channel}", "name": channel, "streams": ["main", "sub"]}
        row |= {"source": {"main": url, "sub": url}, "username": "admin", "password": password}
        self.channels = [*self.channels, row]

    def token(self, channel: str, key: Ed25519PrivateKey | None = None, **changes: str | float) -> str:
        """A fresh live token."""
        fields = {"user": "u", "channel": channel, "node": NODE, "expires": time.time() + 30}
        fields |= {"nonce": secrets.token_hex(8)} | changes
        pem = (key or self.media_key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return sign_live(pem.decode(), LiveToken(**fields))

    def rtsp(self, channel: str, stream: str = "main", tls: bool = False, token: str | None = None) -> str:
        scheme, port = ("rtsps", "rtsps") if tls else ("rtsp", "rtsp")
        token = self.token(channel) if token is None else token
        return f"{scheme}://127.0.0.1:{self.ports[port]}/live/{channel}/{stream}?token={token}"

    def ws(self, channel: str, stream: str = "main", token: str | None = None) -> str:
        token = self.token(channel) if token is None else token
        return f"ws://127.0.0.1:{self.ports['http']}/live/{channel}/{stream}?token={token}"

    def http(self, path: str, channel: str = "one") -> str:
        """The URL of a path with a fresh token for a channel."""
        mark = "&" if "?" in path else "?"
        return f"http://127.0.0.1:{self.ports['http']}{path}{mark}token={self.token(channel)}"

    def streams(self) -> dict[tuple[str, str], dict[str, Any]]:
        """`GET /streams` by channel and stream."""
        rows = json.loads(self.get("/streams"))
        return {(row["channel"], row["stream"]): row for row in rows}

    def get(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self.node_token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports['http']}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bytes(answer.read())

    def wait_for(self, channel: str, state: str, stream: str = "main", seconds: float = 20) -> dict[str, Any]:
        """The stream's facts once it is in a state and, when online, has frames."""
        until = time.monotonic() + seconds
        row: dict[str, Any] = {}
        while time.monotonic() < until:
            row = self.streams().get((channel, stream), {})
            if row.get("state") == state and (state != "online" or row["frames"] > 0):
                return row
            time.sleep(0.05)
        raise AssertionError(f"{channel} is not {state} but {row}")

    def start(self) -> None:
        """Start DSS_MTS and wait until it answers."""
        environment = os.environ | {
            "DSS_ETC": str(self.folder / "etc"),
            "CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
        }
        command = [sys.executable, "-m", "services.mts"]
        with (self.folder / "mts.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=HERE.parents[1], stderr=log)
        for _ in range(200):
            try:
                self.get("/streams")
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "mts.log").read_text()
                time.sleep(0.05)
        raise AssertionError("DSS_MTS does not answer")

    def start_dms(self) -> None:
        """The stand-in: what DSS_DMS tells holders of the node token."""
        rack = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers["Authorization"] == f"Bearer {rack.node_token}"
                body = rack.dms_answer(self.path)
                ready = self.path != "/media-key" or rack.has_media_key
                self.send_response(401 if not known else 200 if ready else 503)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Players", str(hash(repr(rack.players))))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.dms = ThreadingHTTPServer(("127.0.0.1", self.dms_port), Handler)
        threading.Thread(target=self.dms.serve_forever, args=(0.05,), daemon=True).start()

    def stop_dms(self) -> None:
        if self.dms:
            self.dms.shutdown()
            self.dms.server_close()
            self.dms = None

    def dms_answer(self, path: str) -> bytes:
        if path == "/media-key":
            return self.media_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return json.dumps(self.players if path == "/players" else self.channels).encode()

    def _write(self) -> None:
        etc, secret = self.folder / "etc", self.folder / "credentials"
        (etc / "services").mkdir(parents=True)
        (etc / "pki").mkdir()
        secret.mkdir()
        node = {"version": "0", "site": "s", "name": NODE, "role": "main", "address": "127.0.0.1"}
        node |= {"mapping_ip": None, "install_path": "/tmp", "center": None}  # noqa: S108
        (etc / "node.json").write_text(json.dumps(node))
        mts = {"id": "mts", "code": "DSS_MTS", "ports": self.ports, "settings": self._settings}
        (etc / "services" / "mts.json").write_text(json.dumps(mts))
        dms = {"id": "dms", "code": "DSS_DMS", "ports": {"http": self.dms_port}, "settings": {}}
        (etc / "services" / "dms.json").write_text(json.dumps(dms))
        (secret / "node-token").write_text(self.node_token + "\n")
        certificate, key = etc / "pki" / "node.pem", secret / "node.key"
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]
        command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", f"/CN={NODE}"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        subprocess.run(command, check=True, capture_output=True)
