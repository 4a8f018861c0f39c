"""UDP on both sides of the relay: cameras that refuse TCP, and players that ask for it."""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mts_player import Player
from mts_rack import Rack
from test_mts_players import decoded, run

Sockets = tuple[socket.socket, socket.socket]


@pytest.fixture
def ports() -> Iterator[Sockets]:
    """Two UDP sockets next to each other."""
    with socket.socket(type=socket.SOCK_DGRAM) as first, socket.socket(type=socket.SOCK_DGRAM) as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", first.getsockname()[1] + 1))
        first.settimeout(5)
        yield first, second


@pytest.fixture
def player(rack: Rack) -> Iterator[Player]:
    one = Player(rack.ports["rtsp"])
    yield one
    one.socket.close()


def drain(one: socket.socket) -> None:
    for _ in range(1000):
        one.recvfrom(65536)


def set_up(player: Player, url: str, transport: str) -> tuple[int, str]:
    assert player.ask("DESCRIBE", url)[0] == 200
    return player.ask("SETUP", url.split("?")[0] + "/trackID=0", f"Transport: {transport}")


def test_a_camera_that_refuses_tcp_is_pulled_by_udp_without_loss(rack: Rack) -> None:
    camera = rack.camera("udp", "udp", "aac", "640x360", "2000")
    try:
        assert len(decoded(rack.rtsp("udp"), 25, "-rtsp_transport", "tcp")) == 25
        assert rack.streams()["udp", "main"]["state"] == "online"
    finally:
        camera.kill()


def test_ffmpeg_takes_udp_without_being_told_and_loses_nothing(rack: Rack) -> None:
    assert len(decoded(rack.rtsp("one"), 50)) == 50


@pytest.mark.full
def test_gstreamer_takes_udp(rack: Rack, tmp_path: Path) -> None:
    source = f"rtspsrc location={rack.rtsp('one')} protocols=udp ! rtph264depay ! avdec_h264 ! "
    # Its PAUSE races with its own TEARDOWN, so that what came counts and not how it ended.
    run("gst-launch-1.0", "-q", *f"{source}identity eos-after=50 ! filesink location={tmp_path}/raw".split())
    assert (tmp_path / "raw").stat().st_size >= 49 * 320 * 180 * 3 // 2


def test_player_gets_pictures_and_reports_on_its_ports_until_it_says_so(
    rack: Rack, player: Player, ports: Sockets
) -> None:
    number = ports[0].getsockname()[1]
    url = rack.rtsp("one")
    status, text = set_up(player, url, f"RTP/AVP;unicast;client_port={number}-{number + 1}")
    assert status == 200
    ours = int(re.search(r"server_port=(\d+)-", text)[1])  # type: ignore[index]
    assert f"client_port={number}-{number + 1}" in text
    session = re.search(r"Session: *(\w+)", text)[1]  # type: ignore[index]
    assert player.ask("PLAY", url.split("?")[0], f"Session: {session}")[0] == 200
    for _ in range(30):
        packet, sender = ports[0].recvfrom(65536)
        assert (packet[0] >> 6, sender) == (2, ("127.0.0.1", ours))
    assert rack.streams()["one", "main"]["viewers"] == 1
    player.socket.close()
    until = time.monotonic() + 5
    while rack.streams()["one", "main"]["viewers"] and time.monotonic() < until:
        time.sleep(0.05)
    ports[0].settimeout(0.3)
    with pytest.raises(TimeoutError):
        drain(ports[0])


@pytest.mark.parametrize(
    "transport",
    ["RTP/AVP;multicast", "RTP/AVP;unicast", "RTP/AVP;unicast;client_port=22-23", "RTP/AVP/UDP", "",
     "RTP/SAVP;client_port=5000-5001", "RTP/AVP;unicast;client_port=65535-65536",
     "RTP/AVP;unicast;client_port=500000"],
)  # fmt: skip
def test_transports_that_are_not_carried_are_refused(rack: Rack, player: Player, transport: str) -> None:
    assert set_up(player, rack.rtsp("one"), transport)[0] == 461


def test_encrypted_streams_do_not_leave_by_udp(rack: Rack) -> None:
    player = Player(rack.ports["rtsps"])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(player.socket) as player.socket:
        assert set_up(player, rack.rtsp("one"), "RTP/AVP;unicast;client_port=40000-40001")[0] == 461


def test_player_whose_udp_is_lost_on_the_way_goes_over_to_tcp_on_its_connection(
    rack: Rack, player: Player, ports: Sockets
) -> None:
    url, number = rack.rtsp("one"), ports[0].getsockname()[1]
    base = url.split("?")[0]
    text = set_up(player, url, f"RTP/AVP;unicast;client_port={number}-{number + 1}")[1]
    session = "Session: " + re.search(r"Session: *(\w+)", text)[1]  # type: ignore[index]
    for method in ("PLAY", "PAUSE"):
        assert player.ask(method, base, session)[0] == 200
    tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    assert player.ask("SETUP", base + "/trackID=0", tcp, session)[0] == 200
    assert player.ask("PLAY", base, session)[0] == 200
    assert 0 in player.channels(20)


def test_one_track_by_udp_and_one_by_tcp_is_not_played(rack: Rack, player: Player) -> None:
    url = rack.rtsp("one")
    base = url.split("?")[0]
    text = set_up(player, url, "RTP/AVP;unicast;client_port=40000-40001")[1]
    session = "Session: " + re.search(r"Session: *(\w+)", text)[1]  # type: ignore[index]
    tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=2-3"
    assert player.ask("SETUP", base + "/trackID=1", tcp, session)[0] == 200
    assert player.ask("PLAY", base, session)[0] == 455
