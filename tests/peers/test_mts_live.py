"""What a browser gets over the WebSocket, read by FFmpeg (PyAV) and by real Chromium."""

import asyncio
import io
import time
from itertools import pairwise

import aiohttp
import av
import pytest
from mts_page import messages, serve_page
from mts_rack import Camera, Rack

from tests import browser


def decode(parts: list[bytes]) -> list[int]:
    """Presentation times of the pictures decoded from fMP4; raises on any decoder error."""
    with av.open(io.BytesIO(b"".join(parts))) as container:
        container.streams.video[0].codec_context.thread_count = 1
        options = {"err_detect": "explode"}
        container.streams.video[0].codec_context.options = options
        return [frame.pts for frame in container.decode(video=0) if frame.pts is not None]


@pytest.mark.parametrize(
    ("kind", "codec"), [("h264", "avc1.42"), ("h265", "hvc1."), ("bframes", "avc1.4d"), ("paced", "avc1.42")]
)
async def test_every_fragment_decodes_and_time_advances_evenly(rack: Rack, kind: str, codec: str) -> None:
    camera = await asyncio.to_thread(rack.camera, f"live {kind}", kind)
    try:
        init, parts = await messages(rack.ws(f"live {kind}"), 76)
    finally:
        camera.kill()
    assert init["type"] == "init"
    assert init["mime"].startswith(f'video/mp4; codecs="{codec}')
    times = decode(parts)
    assert len(times) == 75
    steps = {later - earlier for earlier, later in pairwise(times)}
    assert max(steps) <= 2 * 3600
    assert min(steps) > 0


async def test_first_picture_of_a_running_stream_comes_at_once(rack: Rack) -> None:
    began = time.monotonic()
    _, parts = await messages(rack.ws("one"), 2)
    assert time.monotonic() - began < 0.25
    assert len(decode(parts)) == 1


async def test_ten_browsers_get_the_same_bytes(rack: Rack) -> None:
    answers = await asyncio.gather(*(messages(rack.ws("one"), 40) for _ in range(10)))
    common = set.intersection(*(set(parts[1:]) for _, parts in answers))
    assert len(common) >= 10


async def test_chromium_shows_the_stream_without_loss(rack: Rack) -> None:
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        chromium = await play.chromium.launch(**browser.LAUNCH)
        page = await chromium.new_page()
        server = await serve_page()
        await page.goto(f"http://127.0.0.1:{server.addresses[0][1]}/#ws={rack.ws('one')}")
        await page.wait_for_function("state.first !== null", timeout=10_000)
        quality = "(() => { const q = document.querySelector('video').getVideoPlaybackQuality();"
        quality += " return [q.totalVideoFrames, q.droppedVideoFrames, state.first, state.error] })()"
        before = await page.evaluate(quality)
        await asyncio.sleep(8)
        after = await page.evaluate(quality)
        await chromium.close()
        await server.cleanup()
    assert after[3] is None
    assert after[2] < 2000
    assert after[0] - before[0] >= 190
    assert after[1] - before[1] <= 2


async def test_stream_goes_on_in_the_same_socket_when_the_camera_comes_back(own_rack: Rack) -> None:
    camera: Camera = await asyncio.to_thread(own_rack.camera, "one")
    url = own_rack.ws("one")
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        await socket.receive(timeout=10)
        parts = [(await socket.receive(timeout=10)).data for _ in range(20)]
        await asyncio.to_thread(camera.kill)
        await asyncio.to_thread(own_rack.wait_for, "one", "unreachable")
        await asyncio.to_thread(camera.start)
        while len(parts) < 80:
            message = await socket.receive(timeout=20)
            if isinstance(message.data, bytes) and message.data[4:8] != b"ftyp":
                parts.append(message.data)
    times = decode(parts)
    assert len(times) >= 78
    assert all(0 < later - earlier < 90_000 for earlier, later in pairwise(times))
