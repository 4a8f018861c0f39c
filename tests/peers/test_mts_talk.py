"""Talk through DSS_MTS to GStreamer's ONVIF back channel: what is said arrives whole, and every end is bounded."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from mts_rack import Rack
from talking import FRAME, frequency, loud, mulaw, tone, told, url, wait_heard


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    settings = {"talk_silence_seconds": 1, "talk_seconds": 3, "refused_seconds": 600}
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
        found = await asyncio.to_thread(wait_heard, ear, 15000)
    sound = loud(found)
    print(len(sound), "samples", frequency(sound), "Hz")
    assert 0.97 * 16000 <= len(sound) <= 1.03 * 16000
    assert abs(frequency(sound) - 440) < 2
    assert sum(abs(value) < 50 for value in sound) < 0.02 * len(sound)
