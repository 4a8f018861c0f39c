"""Live pictures by WebRTC: real Chromium and aiortc against a real DSS_MTS and real cameras."""

import asyncio
import json
import os
import time
from pathlib import Path

import aiohttp
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from mts_rack import Rack
from mts_whep import ended, post, watching

PLAYS = "f.video && f.video.framesDecoded > {}"


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Rack:  # type: ignore[misc]
    """A node that carries two viewers by WebRTC, with a camera that speaks G.711."""
    with Rack(tmp_path_factory.mktemp("whep"), {"webrtc_viewers": 2}) as made:
        made.camera("one", "alaw")
        yield made


def worker(rack: Rack) -> int | None:
    """The process that speaks WebRTC, if there is one."""
    assert rack.process
    children = Path(f"/proc/{rack.process.pid}/task/{rack.process.pid}/children").read_text().split()
    found = [
        int(one) for one in children if b"services.mts.whep" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]
    return found[0] if found else None


async def player(rack: Rack, channel: str = "one") -> tuple[RTCPeerConnection, str]:
    """A player made of aiortc, and where its session is."""
    peer = RTCPeerConnection()
    for kind in ("video", "audio"):
        peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    status, headers, text = await post(rack, channel, peer.localDescription.sdp.encode())
    assert status == 201, text
    await peer.setRemoteDescription(RTCSessionDescription(text, "answer"))
    return peer, headers["Location"]


async def decoded(peer: RTCPeerConnection, count: int) -> None:
    """So many pictures of the camera's size come, decoded."""
    track = peer.getReceivers()[0].track
    frames = [await asyncio.wait_for(track.recv(), 30) for _ in range(count)]
    assert {(one.width, one.height) for one in frames} == {(320, 180)}


async def watched(rack: Rack, wanted: int, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while rack.streams()["one", "main"]["viewers"] != wanted:
        assert time.monotonic() < until, rack.streams()["one", "main"]
        await asyncio.sleep(0.1)


@pytest.mark.full
async def test_chromium_shows_two_viewers_the_picture_and_the_sound_of_g711(talking: Rack) -> None:
    async with watching(talking, "one", pages=2) as pages:
        for page in pages:
            await page.until(PLAYS.format(50) + " && f.shown > 20")
            found = await page.until(
                "f.audio && f.audio.packetsReceived > 20 && f.audio.totalAudioEnergy > 0"
            )
            assert found["video"]["packetsLost"] == 0
            assert found["video"]["pliCount"] == 0
        await watched(talking, 2)
        status, _, text = await post(talking, "one", b"v=0")
        problem = json.loads(text)
        assert (status, problem["code"]) == (503, "webrtc-unavailable")
        assert "of 2 that" in problem["why"]
        assert "WebSocket" in problem["remedy"]
    await watched(talking, 0)


async def test_two_players_decode_the_picture_at_once_and_one_that_ends_leaves_the_other(
    talking: Rack,
) -> None:
    players = [await player(talking) for _ in range(2)]
    (peer, place), (other, stays) = players
    await asyncio.gather(*(decoded(one, 30) for one, _ in players))
    address = talking.http(f"/whep/one/{place}").split("?")[0]
    async with aiohttp.ClientSession() as session:
        assert (await session.patch(address)).status == 405
    assert [await ended(talking, "one", place) for _ in range(2)] == [200, 404]
    await watched(talking, 1, 5)
    await decoded(other, 10)
    assert await ended(talking, "one", stays) == 200
    await watched(talking, 0, 5)
    await asyncio.gather(peer.close(), other.close())


async def test_a_process_that_died_takes_no_other_picture_with_it(talking: Rack) -> None:
    peer, _ = await player(talking)
    await watched(talking, 1)
    number = worker(talking)
    assert number
    os.kill(number, 9)
    await watched(talking, 0, 5)
    assert talking.streams()["one", "main"]["state"] == "online"
    again, place = await player(talking)
    await watched(talking, 1)
    assert worker(talking) not in (None, number)
    assert await ended(talking, "one", place) == 200
    await asyncio.gather(peer.close(), again.close())


@pytest.mark.parametrize(
    ("body", "kind", "status", "why"),
    [
        (b"v=0", "text/plain", 415, "text/plain"),
        (b"\xff\xfe", "application/sdp", 400, "not text"),
        (b"nonsense", "application/sdp", 400, ""),
        (b"x" * 70_000, "application/sdp", 400, "65536"),
    ],
)
async def test_what_is_no_offer_is_refused_with_its_reason(
    talking: Rack, body: bytes, kind: str, status: int, why: str
) -> None:
    found, _, text = await post(talking, "one", body, kind=kind)
    problem = json.loads(text)
    assert (found, bool(problem["what"]), bool(problem["remedy"])) == (status, True, True)
    assert why in problem["why"]


async def test_a_player_without_h264_hears_what_is_missing(talking: Rack) -> None:
    peer = RTCPeerConnection()
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    lines = peer.localDescription.sdp.replace("H264/90000", "H263/90000")
    status, _, text = await post(talking, "one", lines.encode())
    assert (status, json.loads(text)["code"]) == (406, "offer-without-codec")
    assert "VP8" in json.loads(text)["why"]
    await peer.close()


@pytest.mark.full
@pytest.mark.parametrize(
    ("words", "code"), [(["h265"], "codec-not-carried"), (["bframes"], "order-not-carried")]
)
async def test_a_camera_whose_picture_cannot_be_carried_is_named(
    talking: Rack, words: list[str], code: str
) -> None:
    camera = await asyncio.to_thread(talking.camera, words[0], *words)
    await asyncio.sleep(1.5)
    status, _, text = await post(talking, words[0], b"v=0")
    camera.kill()
    assert (status, json.loads(text)["code"]) == (409, code)
    assert json.loads(text)["remedy"]


@pytest.mark.full
async def test_a_viewer_that_vanishes_makes_room_for_the_next_one(talking: Rack) -> None:
    async with watching(talking, "one") as (page,):
        await page.until(PLAYS.format(10))
        await page.page.evaluate("window.place = null")
    await watched(talking, 0, 40)


@pytest.mark.full
async def test_chromium_hears_opus_and_shows_a_camera_that_came_back(talking: Rack) -> None:
    camera = await asyncio.to_thread(talking.camera, "opus", "opus")
    async with watching(talking, "opus") as (page,):
        await page.until("f.audio && f.audio.totalAudioEnergy > 0")
        camera.kill()
        await asyncio.sleep(2)
        camera.start()
        before = (await page.figures())["video"]["framesDecoded"]
        await page.until(PLAYS.format(before + 50))
    camera.kill()


@pytest.mark.full
async def test_a_channel_that_goes_ends_its_sessions_and_the_process_ends_when_idle(talking: Rack) -> None:
    await asyncio.to_thread(talking.camera, "gone")
    async with watching(talking, "gone") as (page,):
        await page.until(PLAYS.format(10))
        talking.channels = [one for one in talking.channels if one["id"] != "gone"]
        await page.until("f.state === 'closed' || f.state === 'failed' || f.state === 'disconnected'")
    until = time.monotonic() + 40
    while worker(talking) is not None:
        assert time.monotonic() < until
        await asyncio.sleep(0.5)
