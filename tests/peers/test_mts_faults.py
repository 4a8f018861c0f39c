"""What goes wrong around a running relay: tokens, cameras, viewers, its neighbour DSS_DMS."""

import asyncio
import json
import socket
import struct
import subprocess
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mts_player import Player
from mts_rack import PROBE, Camera, Rack

from services.runtime import rtsp
from tests.ports import free_port

Connect = Callable[[Rack], Player]

VIDEO, REPORTS = {0}, {1}
"""Interleaved channels of a player that asked for 0-1: the camera reports (RTCP) each few seconds."""


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens players, closed after the test."""
    opened: list[Player] = []

    def one(rack: Rack) -> Player:
        opened.append(Player(rack.ports["rtsp"]))
        return opened[-1]

    yield one
    for player in opened:
        player.socket.close()


@pytest.fixture
def player(rack: Rack, connect: Connect) -> Player:
    return connect(rack)


async def refused(rack: Rack, connect: Connect, token: str) -> tuple[int, int]:
    """Status by WebSocket and by RTSP for a token for channel `one`."""
    async with aiohttp.ClientSession() as session:
        url = rack.ws("one", token=token).replace("ws://", "http://")
        async with session.get(url) as answer:
            body = await answer.json()
            assert {"what", "why", "remedy"} <= body.keys()
    return answer.status, connect(rack).ask("DESCRIBE", rack.rtsp("one", token=token))[0]


async def test_token_of_another_signer_channel_node_time_or_none_at_all_is_refused(
    rack: Rack, connect: Connect
) -> None:
    good = rack.token("one")
    wrong = [rack.token("one", key=Ed25519PrivateKey.generate()), rack.token("two"), "", "a.b"]
    wrong += [
        rack.token("one", node="sub-1"),
        rack.token("one", expires=time.time() - 1),
        good[:-8] + "AAAAAAAA",
    ]
    for token in wrong:
        assert await refused(rack, connect, token) == (403, 403), token


async def test_token_opens_one_viewing_only(rack: Rack, connect: Connect) -> None:
    token = rack.token("one")
    async with aiohttp.ClientSession() as session, session.ws_connect(rack.ws("one", token=token)):
        assert await refused(rack, connect, token) == (403, 403)


def test_session_id_is_worth_nothing_on_another_connection(
    rack: Rack, connect: Connect, player: Player
) -> None:
    url = rack.rtsp("one")
    session = player.play(url, "0-1")
    thief = connect(rack)
    base = url.split("?")[0]
    assert thief.ask("PLAY", base, f"Session: {session}")[0] == 403
    assert thief.ask("PLAY", url, f"Session: {session}")[0] == 403
    assert thief.ask("TEARDOWN", base, f"Session: {session}")[0] == 454
    assert VIDEO <= player.channels(20) <= VIDEO | REPORTS


def test_connection_admitted_to_one_stream_cannot_ask_for_another(rack: Rack, player: Player) -> None:
    url = rack.rtsp("one")
    assert player.ask("DESCRIBE", url)[0] == 200
    assert player.ask("DESCRIBE", url.replace("/main", "/sub"))[0] == 403


def test_player_gets_the_interleaved_channels_it_asks_for(rack: Rack, player: Player) -> None:
    player.play(rack.rtsp("one"), "6-7", "10-11")
    assert player.channels(100) - {7, 11} == {6, 10}


def test_pause_stops_and_play_goes_on(rack: Rack, player: Player) -> None:
    url = rack.rtsp("one")
    session = player.play(url, "0-1")
    base = url.split("?")[0]
    player.socket.sendall(f"PAUSE {base} RTSP/1.0\r\nCSeq: 8\r\nSession: {session}\r\n\r\n".encode())
    deadline = time.monotonic() + 5
    while b"\r\n\r\n" not in player.buffer.partition(b"CSeq: 8")[2] and time.monotonic() < deadline:
        player.fill()
    player.buffer = b""
    player.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        player.fill()
    player.socket.settimeout(5)
    assert player.ask("PLAY", base, f"Session: {session}")[0] == 200
    assert VIDEO <= player.channels(20) <= VIDEO | REPORTS


@pytest.mark.parametrize(
    ("line", "status"),
    [("ANNOUNCE rtsp://h/live/one/main RTSP/1.0", 405), ("DESCRIBE rtsp://h/other RTSP/1.0", 404),
     ("OPTIONS * RTSP/1.0", 200), ("OPTIONS * RTSP/2.0", 505), ("PLAY rtsp://h/live/one/main RTSP/1.0", 403)],
)  # fmt: skip
def test_odd_requests_get_their_status(player: Player, line: str, status: int) -> None:
    player.socket.sendall(f"{line}\r\nCSeq: 1\r\n\r\n".encode())
    player.fill()
    assert int(player.buffer.split(b" ")[1]) == status


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"A" * 200_000])
def test_rubbish_ends_its_own_connection_only(rack: Rack, player: Player, rubbish: bytes) -> None:
    with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012
        player.socket.sendall(rubbish)
        player.fill()
    assert rack.streams()["one", "main"]["state"] == "online"


def test_viewer_that_resets_while_streaming_leaves_the_others_alone(rack: Rack, connect: Connect) -> None:
    stays = connect(rack)
    stays.play(rack.rtsp("one"), "0-1", "2-3")
    for _ in range(20):
        leaves = connect(rack)
        leaves.play(rack.rtsp("one"), "0-1", "2-3")
        leaves.channels(3)
        leaves.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaves.socket.close()
    before = rack.streams()["one", "main"]["frames"]
    assert stays.channels(200)
    time.sleep(1)
    row = rack.streams()["one", "main"]
    assert row["frames"] >= before + 20
    assert row["state"] == "online"
    until = time.monotonic() + 5
    while rack.streams()["one", "main"]["viewers"] > 1 and time.monotonic() < until:
        time.sleep(0.1)
    assert rack.streams()["one", "main"]["viewers"] <= 1


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * 4096


def test_viewer_that_never_reads_costs_bounded_memory_and_nobody_else_a_frame(
    own_rack: Rack, connect: Connect
) -> None:
    own_rack.camera("one", "20000", "640x360")
    assert own_rack.process
    before = memory(own_rack.process.pid)
    lazy = [connect(own_rack) for _ in range(3)]
    for one in lazy:
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.play(own_rack.rtsp("one"), "0-1")
    words = ["ffmpeg", "-v", "error", "-xerror", "-rtsp_transport", "tcp", "-i", own_rack.rtsp("one")]
    done = subprocess.run([*words, "-frames:v", "200", "-c", "copy", "-f", "null", "-"],
                          capture_output=True, text=True, timeout=40, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert own_rack.streams()["one", "main"]["bytes"] > 10_000_000
    # Three viewers may hold 2 MB and a key frame each, beside one GOP of the stream.
    assert memory(own_rack.process.pid) - before < 30_000_000


def test_camera_killed_and_back_goes_on_in_the_same_player(own_rack: Rack) -> None:
    camera = own_rack.camera("one")
    words = [*PROBE, "-show_entries", "packet=pts", "-of", "csv=p=0"]
    reader = subprocess.Popen([*words, "-read_intervals", "%+#120", own_rack.rtsp("one")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    time.sleep(2)
    camera.kill()
    own_rack.wait_for("one", "unreachable")
    camera.start()
    own_rack.wait_for("one", "online")
    out, errors = reader.communicate(timeout=30)
    times = [int(line.split(",")[0]) for line in out.split() if line[:1].isdigit()]
    assert errors == ""
    assert len(times) >= 118
    assert times == sorted(times)


def test_wrong_password_is_tried_once_and_said_plainly(own_rack: Rack, connect: Connect) -> None:
    own_rack.camera("one", password="wrong", wait=False)
    row = own_rack.wait_for("one", "refused")
    assert "password" in row["reason"]
    assert connect(own_rack).ask("DESCRIBE", own_rack.rtsp("one", "sub"))[0] == 503
    time.sleep(2)
    assert all("tried again in 10 min" in row["reason"] for row in own_rack.streams().values())
    assert (own_rack.folder / "mts.log").read_text().count("password (401)") == 1


@pytest.mark.parametrize(
    "answer", [b"\x00\x01\x02" * 100, b"HTTP/1.0 200 OK\r\n\r\n<html>", b"RTSP/1.0 200 OK\r\n"]
)
def test_camera_that_answers_garbage_is_named_and_harms_no_other(own_rack: Rack, answer: bytes) -> None:
    own_rack.camera("good")
    with socket.create_server(("127.0.0.1", 0)) as server:
        own_rack.assign("bad", f"rtsp://127.0.0.1:{server.getsockname()[1]}/")
        server.settimeout(10)
        connection, _ = server.accept()
        with connection:
            connection.sendall(answer)
            row = own_rack.wait_for("bad", "unreachable" if answer.startswith(b"RTSP") else "garbled")
    assert row["reason"].endswith(".")
    assert own_rack.streams()["good", "main"]["state"] == "online"


def test_camera_that_is_not_there_is_unreachable(own_rack: Rack) -> None:
    own_rack.assign("one", f"rtsp://127.0.0.1:{free_port()}/")
    assert "cannot be reached" in own_rack.wait_for("one", "unreachable")["reason"]


def test_streams_go_on_while_the_dms_is_away_and_end_when_unassigned(own_rack: Rack) -> None:
    own_rack.camera("one")
    own_rack.stop_dms()
    time.sleep(2.5)
    before = own_rack.streams()["one", "main"]["frames"]
    assert json.loads(own_rack.get("/health"))["checks"]["dms"]["reason"]
    # Frames that nobody watches are counted a quarter of a second at once.
    time.sleep(3)
    assert own_rack.streams()["one", "main"]["frames"] >= before + 60
    own_rack.start_dms()
    own_rack.channels = []
    until = time.monotonic() + 6
    while own_rack.streams() and time.monotonic() < until:
        time.sleep(0.1)
    assert own_rack.streams() == {}


def test_channels_are_pulled_before_the_key_of_main_has_come(tmp_path: Path, connect: Connect) -> None:
    rack = Rack(tmp_path)
    rack.has_media_key = False
    with rack:
        rack.camera("one")
        assert connect(rack).ask("DESCRIBE", rack.rtsp("one"))[0] == 503
        with pytest.raises(urllib.error.HTTPError) as caught:
            rack.get("/health")
        assert "main's key" in caught.value.read().decode()
        rack.has_media_key = True
        time.sleep(2.5)
        assert connect(rack).ask("DESCRIBE", rack.rtsp("one"))[0] == 200


async def test_a_browser_hears_why_there_is_no_picture_and_gets_it_on_the_same_connection(
    own_rack: Rack,
) -> None:
    camera = await asyncio.to_thread(Camera)
    own_rack.cameras.append(camera)
    camera.kill()
    own_rack.assign("one", camera.url)
    await asyncio.to_thread(own_rack.wait_for, "one", "unreachable")
    for _ in range(2):
        async with aiohttp.ClientSession() as session, session.ws_connect(own_rack.ws("one")) as socket:
            said = json.loads((await socket.receive(timeout=3)).data)
            assert (said["type"], said["what"]) == ("note", "No picture from the camera.")
            assert said["why"] == "It cannot be reached, or was lost."
            await asyncio.to_thread(camera.start)
            began = time.monotonic()
            while said["type"] == "note":
                said = json.loads((await socket.receive(timeout=8)).data)
            assert said["type"] == "init"
            print(f"the picture came back after {time.monotonic() - began:.1f} s")
            assert time.monotonic() - began < 6
            camera.kill()
            while (kind := await socket.receive(timeout=8)).type is aiohttp.WSMsgType.BINARY:
                pass
            assert json.loads(kind.data)["type"] == "note"


async def test_sub_stream_is_pulled_on_demand_and_let_go(own_rack: Rack) -> None:
    await asyncio.to_thread(own_rack.camera, "one")
    assert ("one", "sub") not in own_rack.streams()
    async with aiohttp.ClientSession() as session, session.ws_connect(own_rack.ws("one", "sub")) as ws:
        assert json.loads((await ws.receive(timeout=10)).data)["type"] == "init"
        rows = await asyncio.to_thread(own_rack.streams)
        assert rows["one", "sub"]["viewers"] == 1
    until = time.monotonic() + 8
    while ("one", "sub") in await asyncio.to_thread(own_rack.streams) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    assert ("one", "sub") not in await asyncio.to_thread(own_rack.streams)


def test_streams_are_listed_to_holders_of_the_node_token_only(rack: Rack) -> None:
    token, rack.node_token = rack.node_token, "wrong"
    try:
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            rack.get("/streams")
        caught.value.close()
    finally:
        rack.node_token = token


async def test_relay_is_itself_a_camera_that_the_handshake_client_reads(rack: Rack) -> None:
    description = await rtsp.probe(rack.rtsp("one"))
    assert [media.codec for media in description.media] == ["H264", "MPEG4-GENERIC"]
    assert len(description.media[0].parameter_sets) == 2
