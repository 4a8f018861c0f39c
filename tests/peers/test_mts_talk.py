"""Talk through DSS_MTS to GStreamer's ONVIF back channel: it arrives whole, and every end is bounded."""

import asyncio
import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from mts_rack import Rack
from talking import FRAME, frequency, loud, told, tone, url, wait_heard


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    settings = {"talk_silence_seconds": 1, "talk_seconds": 5, "refused_seconds": 600}
    with Rack(tmp_path_factory.mktemp("talk") / "node", settings) as made:
        yield made


@pytest.fixture(scope="module")
def ear(rack: Rack) -> Path:
    file = rack.folder / "heard.raw"
    rack.camera("one", f"talk={file}", wait=False)
    rack.wait_for("one", "online")
    return file


async def say(socket: aiohttp.ClientWebSocketResponse, seconds: float, hertz: float = 440) -> None:
    """Speak at the pace of a microphone."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(int(seconds * 25)):
        await asyncio.sleep(max(0.0, began + n * 0.04 - loop.time()))
        await socket.send_bytes(tone(hertz, n * FRAME))


async def test_a_tone_arrives_at_the_camera_as_it_was_said(rack: Rack, ear: Path) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url(rack, "one")) as socket:
        assert await told(socket) == {"type": "ready", "codec": "PCMU", "rate": 8000}
        await say(socket, 2)
        found = await asyncio.to_thread(wait_heard, ear, 15900)
    sound = loud(found)
    print(len(sound), "samples", frequency(sound), "Hz")
    assert 0.97 * 16000 <= len(sound) <= 1.03 * 16000
    assert abs(frequency(sound) - 440) < 2
    assert sum(abs(value) < 50 for value in sound) < 0.02 * len(sound)


async def ended(socket: aiohttp.ClientWebSocketResponse) -> str:
    """Why the other side ended it."""
    note = await told(socket)
    assert (note["type"], note["about"]) == ("note", "talk")
    assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    return f"{note['what']} {note['why']}"


def asked(rack: Rack, channel: str) -> dict[str, str]:
    """What main is told before anybody speaks."""
    try:
        found: dict[str, str] = json.loads(rack.get(f"/talks/{channel}"))
    except urllib.error.HTTPError as error:
        found = json.loads(error.read())
    return found


async def test_one_talks_at_a_time_and_silence_gives_the_place_back(rack: Rack, ear: Path) -> None:
    assert asked(rack, "one") == {"channel": "one", "codec": "PCMU"}
    async with aiohttp.ClientSession() as session, session.ws_connect(url(rack, "one", "ann")) as first:
        assert (await told(first))["type"] == "ready"
        assert "ann" in asked(rack, "one")["why"]
        async with session.ws_connect(url(rack, "one", "bob")) as second:
            assert "ann" in await ended(second)
        assert "Nothing was said" in await ended(first)
        async with session.ws_connect(url(rack, "one", "bob")) as third:
            assert (await told(third))["type"] == "ready"
            await third.send_bytes(bytes(10))
            assert "other than G.711" in await ended(third)


async def test_camera_without_a_back_channel_says_so_before_anybody_speaks(rack: Rack, ear: Path) -> None:
    rack.camera("mute")
    assert asked(rack, "mute")["code"] == "talk-unable"
    rack.assign("away", "rtsp://127.0.0.1:1/x")
    async with aiohttp.ClientSession() as session, session.ws_connect(url(rack, "mute")) as socket:
        assert "cannot be talked to" in await ended(socket)


@pytest.mark.full
async def test_a_talk_ends_after_its_longest_time_and_with_its_camera(rack: Rack, ear: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url(rack, "one")) as socket:
            assert (await told(socket))["type"] == "ready"
            await say(socket, 6)
            assert "lasts at most" in await ended(socket)
        camera = rack.camera("brief", f"talk={rack.folder / 'brief.raw'}")
        async with session.ws_connect(url(rack, "brief")) as socket:
            assert (await told(socket))["type"] == "ready"
            await say(socket, 0.5)
            camera.kill()
            assert "cannot be talked to now" in await ended(socket)


@pytest.mark.full
async def test_a_law_is_sent_to_a_camera_that_takes_that_alone(rack: Rack, ear: Path) -> None:
    file = rack.folder / "alaw.raw"
    rack.camera("two", f"talk-alaw={file}")
    async with aiohttp.ClientSession() as session, session.ws_connect(url(rack, "two")) as socket:
        assert (await told(socket))["codec"] == "PCMA"
        await socket.send_bytes(bytes((0xAA, 0x2A)) * 240)
        found = await asyncio.to_thread(wait_heard, file, 400)
    assert {abs(value) for value in loud(found)} == {32256}
