"""DSS_MGW sends decoders to the DSS_MTS that has their stream, also right after the device was moved."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mts_rack
import pytest
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mts_player import Player

from services.smc import devices, live, player_accounts
from services.smc.player_accounts import Rights
from tests.portal.process import started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.portal.process import Portal
    from tests.portal.site import Site

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parents[2]


def described(port: int, url: str) -> tuple[int, str]:
    """Status and text of one DESCRIBE on a connection of its own."""
    player = Player(port)
    with player.socket:
        return player.ask("DESCRIBE", url, "Accept: application/sdp")


@dataclass
class Gateway:
    """A running DSS_MGW in front of the relays of main-a and sub-1."""

    site: Site
    racks: dict[str, mts_rack.Rack]
    channel: str
    camera: str
    door: int
    http: int

    def url(self) -> str:
        """What the portal gives a user for a decoder."""
        with self.site.platform.session() as session:
            found = live.open(session, self.channel, self.site.account).gateway
        assert found
        return found

    def ask(self, url: str) -> tuple[int, str]:
        """Status of DESCRIBE, and where it leads."""
        status, text = described(self.door, url)
        there = re.search(r"Location: (\S+)", text)
        return status, there[1] if there else ""

    def where(self, **query: str) -> requests.Response:
        """As a service of the site asks."""
        headers = {"Authorization": "Bearer node-secret"}
        at = f"http://127.0.0.1:{self.http}/where/{self.channel}"
        return requests.get(at, query, headers=headers, timeout=15)

    def move(self, device: str, node: str) -> None:
        """The device goes to another node, as main's DSS_DMS and the node's tell their relays."""
        with self.site.platform.session() as session:
            devices.move(session, device, node, self.site.account)
        for name, rack in self.racks.items():
            rack.channels = []
            if name == node:
                rack.assign(self.channel, self.camera)


def relay(site: Site, name: str, folder: Path, ports: dict[str, int] | None) -> mts_rack.Rack:
    """A DSS_MTS of a node that takes the tokens of this site."""
    made = mts_rack.Rack(folder)
    made.ports = ports or made.ports
    made.node_token = "node-secret"
    made.media_key = load_pem_private_key((site.platform.files.credentials / "media-key").read_bytes(), None)
    folder.mkdir()
    return made


@pytest.fixture
def gateway(
    site: Site, portal: Portal, channel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    free_port: Callable[[], int],
) -> Iterator[Gateway]:  # fmt: skip
    """Two relays, one camera at main-a, the portal, and DSS_MGW."""
    files, racks = site.platform.files, {}
    main_ports = json.loads((files.etc / "services" / "mts.json").read_text())["ports"]
    with ExitStack() as stack:
        for name, ports in (("main-a", main_ports), ("sub-1", None)):
            monkeypatch.setattr(mts_rack, "NODE", name)
            racks[name] = stack.enter_context(relay(site, name, tmp_path / name, ports))
        camera = racks["main-a"].camera(channel)
        sub = site.agents["sub-1"]
        sub.numbers = {"mts": racks["sub-1"].ports}
        sub.streams = lambda: list(racks["sub-1"].streams().values())
        next(one for one in sub.services if one["id"] == "mts")["state"] = "Running"
        site.tell()
        door, http = free_port(), free_port()
        files.service("dms", {"http": racks["main-a"].dms_port})
        files.service("mgw", {"decoder": door, "http": http})
        log = stack.enter_context((tmp_path / "mgw.log").open("wb"))
        stack.enter_context(started([sys.executable, "-m", "services.mgw"], log))
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                if requests.get(f"http://127.0.0.1:{http}/health", timeout=2).status_code == 200:
                    break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield Gateway(site, racks, channel, camera.url, door, http)


def test_a_decoder_with_an_account_keeps_one_address_and_is_sent_away_with_it(gateway: Gateway) -> None:
    with gateway.site.platform.session() as session:
        made = player_accounts.add(session, "wall", Rights([gateway.channel]), gateway.site.account)
        told = player_accounts.assignment(session, None)
    for rack in gateway.racks.values():
        rack.players = told
    time.sleep(2.6)
    url = f"rtsp://wall:{made.secret}@127.0.0.1:{gateway.door}/live/{gateway.channel}/main"
    words = ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-t", "60", "-f", "framecrc", "-"]
    for last in (False, True):
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as decoder:
            assert decoder.stdout
            while not decoder.stdout.readline().startswith("0,"):
                assert decoder.poll() is None
            if last:
                for rack in gateway.racks.values():
                    rack.players = []
            else:
                decoder.kill()
            decoder.communicate(timeout=15)


def test_decoders_follow_the_device_and_tokens_work_once(gateway: Gateway) -> None:
    url = gateway.url()
    status, there = gateway.ask(url)
    assert (status, f":{gateway.racks['main-a'].ports['rtsp']}/live/" in there) == (302, True)
    assert described(gateway.racks["main-a"].ports["rtsp"], there)[0] == 200
    assert gateway.ask(url)[0] == 403
    assert gateway.ask(url.partition("?")[0])[0] == 403
    assert gateway.ask(gateway.url().replace(gateway.channel, "other-1"))[0] == 403
    told = gateway.where(**{"from": "192.0.2.7"}).json()
    assert (told["node"], told["side"], "token" in told["url"]) == ("main-a", "lan", False)

    device = gateway.channel.rpartition("-")[0]
    began = time.monotonic()
    gateway.move(device, "sub-1")
    status, there = gateway.ask(gateway.url())
    print(f"on the new node after {time.monotonic() - began:.1f} s")
    assert (status, there.startswith(f"rtsp://127.0.0.21:{gateway.racks['sub-1'].ports['rtsp']}/")) == (
        302,
        True,
    )
    gateway.racks["sub-1"].wait_for(gateway.channel, "online")
    program = ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", gateway.url(), "-frames:v", "10"]
    done = subprocess.run(
        [*program, "-f", "null", "-"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert gateway.where(**{"from": "198.51.100.7"}).json()["node"] == "sub-1"
    assert gateway.where(**{"from": "8.8.8.8"}).json()["url"].startswith("rtsp://203.0.113.21:")

    gateway.site.agents["sub-1"].streams = None
    away = gateway.where()
    assert (away.status_code, away.json()["code"]) == (503, "relay-away")


PLAYERS = {
    "ffprobe": ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_streams", "URL"],
    "ffmpeg": ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", "URL", "-frames:v", "20", "-f",
               "null", "-"],
    "GStreamer": ["/usr/bin/python3", str(ROOT / "tests/peers/gst_player.py"), "URL",
                  "rtph264depay ! avdec_h264", "20"],
    "mpv": ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=20", "--rtsp-transport=tcp", "URL"],
}  # fmt: skip


def test_players_written_elsewhere_follow_the_way(gateway: Gateway) -> None:
    for name, words in PLAYERS.items():
        line = [word.replace("URL", gateway.url()) for word in words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, env=os.environ)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        assert "ERROR" not in done.stderr, (name, done.stderr)
