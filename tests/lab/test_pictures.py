"""Pictures past a node's firewall and out of a service's sandbox: RTP by UDP both ways, WebRTC, and JPEG."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.admin import Admin, RefusedError, until
from lab.site import MAIN, Site

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

CAMERA = Path(__file__).parents[1] / "peers" / "mts_camera.py"
CONTROLLER = "198.18.0.1"
PLAYER = Path(__file__).with_name("whep_player.py")


def decoded(site: Site, url: str, transport: str) -> int:
    """Pictures that ffmpeg takes from another machine of the LAN in five seconds."""
    words = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", transport, "-i", url, "-map", "0:v"]
    inside = site.lab.network.enter(*words, "-t", "5", "-f", "framecrc", "-")
    done = subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return sum(line.startswith("0,") for line in done.stdout.splitlines())


def snapshot(admin: Admin, channel: str) -> tuple[str, str, bytes]:
    """Type, time and beginning of a channel's picture."""
    way = admin.post(f"/channels/{channel}/snapshot")["path"]
    with urllib.request.urlopen(admin.base + way, context=admin.trust, timeout=30) as answer:
        return answer.headers["Content-Type"], answer.headers["X-Picture-Time"], answer.read(3)


def comes(admin: Admin, channel: str) -> bool:
    """Whether a channel has pictures; DSS_MTS hears of a new one within two seconds."""
    try:
        return bool(snapshot(admin, channel))
    except (RefusedError, OSError):
        return False


@pytest.fixture
def channels(admin: Admin) -> list[str]:
    """A channel of each node, whose pictures have come."""
    found = [str(device["channels"][0]["id"]) for device in admin.get("/devices")]
    for channel in found:
        until(60, f"{channel} has pictures", lambda one=channel: comes(admin, one))
    return found


@pytest.fixture
def udp_camera(site: Site, admin: Admin) -> Iterator[str]:
    """A camera that refuses to send over its connection, as main's device; gives its channel."""
    words = ["/usr/bin/python3", CAMERA, "8554", "Camera.2468", "udp", f"at={CONTROLLER}"]
    camera = subprocess.Popen(site.lab.network.enter(*words), stdout=subprocess.PIPE, text=True)
    assert camera.stdout
    assert camera.stdout.readline() == "ready\n"
    url = f"rtsp://admin:Camera.2468@{CONTROLLER}:8554/cam/realmonitor?channel=1&subtype=0"
    device = admin.post("/devices", kind="rtsp", name="By UDP", node=MAIN, url=url)
    try:
        until(30, "it is on-line", lambda: admin.get(f"/devices/{device['id']}")["state"] == "online")
        yield str(device["channels"][0]["id"])
    finally:
        admin.call("DELETE", f"/devices/{device['id']}")
        camera.kill()
        camera.communicate()


def test_a_player_on_the_lan_gets_udp_past_the_firewall(
    site: Site, admin: Admin, channels: list[str]
) -> None:
    for channel in channels:
        for transport in ("udp", "tcp"):
            url = admin.post(f"/channels/{channel}/live")["rtsp"]["lan"]
            assert decoded(site, url, transport) > 50, (channel, transport)


def test_a_camera_that_sends_by_udp_alone_comes_through_the_firewall(
    site: Site, admin: Admin, udp_camera: str
) -> None:
    until(30, "its pictures come", lambda: comes(admin, udp_camera))
    assert decoded(site, admin.post(f"/channels/{udp_camera}/live")["rtsp"]["lan"], "tcp") > 50


def test_the_decoder_of_snapshots_works_in_the_sandbox_of_its_service(
    admin: Admin, channels: list[str]
) -> None:
    for channel in channels:
        kind, taken, first = snapshot(admin, channel)
        assert (kind, first) == ("image/jpeg", b"\xff\xd8\xff")
        assert taken


def test_webrtc_comes_through_the_firewall_and_out_of_the_sandbox_of_its_service(
    site: Site, admin: Admin, channels: list[str]
) -> None:
    for channel in channels:
        words = site.lab.network.enter(sys.executable, PLAYER)
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as player:
            assert player.stdout
            offer = json.loads(player.stdout.readline())
            way = admin.base + admin.post(f"/channels/{channel}/live")["whep"]
            request = urllib.request.Request(way, offer.encode(), {"Content-Type": "application/sdp"})
            with urllib.request.urlopen(request, context=admin.trust, timeout=30) as answer:
                assert answer.status == 201
                heard, _ = player.communicate(json.dumps(answer.read().decode()) + "\n", timeout=90)
            assert heard.strip() == "50"
