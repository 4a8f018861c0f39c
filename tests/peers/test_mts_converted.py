"""Pictures that a browser cannot decode, converted for it: real cameras, real Chromium, real players."""

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from mts_page import messages, shown
from mts_rack import PROBE, Rack

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def h265(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """A relay that converts one stream at once, with two H.265 cameras."""
    settings = {"converted_streams": 1, "sub_idle_seconds": 1}
    with Rack(tmp_path_factory.mktemp("rack"), settings) as started:
        started.camera("one", "h265")
        started.camera("two", "h265")
        yield started


def workers(rack: Rack) -> list[int]:
    """The processes that convert for a relay."""
    assert rack.process
    pids = Path(f"/proc/{rack.process.pid}/task/{rack.process.pid}/children").read_text().split()
    return [int(pid) for pid in pids if converts(int(pid))]


def converts(pid: int) -> bool:
    try:
        return b"services.mts.convert" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def until(true: Callable[[], bool], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        await asyncio.sleep(0.05)


def refusal(url: str) -> dict[str, str]:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=20)
    assert refused.value.code == 503
    with refused.value as answer:
        told: dict[str, str] = json.loads(answer.read())
    return told


async def test_chromium_shows_an_h265_camera_converted_and_no_process_stays(h265: Rack) -> None:
    init, _ = await messages(h265.ws("one"), 1)
    assert "hvc1" in init["mime"]
    async with shown(f"ws={h265.ws('one', 'converted')}") as page:
        # A busy machine is slow to begin; from then on it has to keep up.
        await page.pictures(25)
        assert (await page.gain(1))["pictures"] >= 8
        # Whoever else watches gets the same pictures.
        second, _ = await messages(h265.ws("one", "converted"), 5)
        assert "avc1" in second["mime"]
        assert len(workers(h265)) == 1
    await until(lambda: not workers(h265))
    assert ("one", "converted") not in h265.streams()


async def test_beyond_the_limit_one_hears_it_and_is_next(h265: Rack) -> None:
    async with aiohttp.ClientSession() as session:
        first = await session.ws_connect(h265.ws("one", "converted"), max_msg_size=0)
        assert json.loads((await first.receive(timeout=20)).data)["type"] == "init"
        told = await asyncio.to_thread(refusal, h265.http("/live/two/converted.mp4", "two"))
        assert "at most 1 at once" in told["why"]
        assert {"what", "why", "remedy"} <= told.keys()
        async with session.ws_connect(h265.ws("two", "converted"), max_msg_size=0) as second:
            note = json.loads((await second.receive(timeout=20)).data)
            assert (note["type"], note["why"]) == ("note", told["why"])
            assert len(workers(h265)) == 1
            await first.close()
            while (said := await second.receive(timeout=20)).type == aiohttp.WSMsgType.TEXT:
                assert json.loads(said.data)["type"] in ("note", "init")
            assert said.type == aiohttp.WSMsgType.BINARY
    await until(lambda: not workers(h265))


async def test_a_killed_worker_is_replaced_and_who_watches_goes_on(h265: Rack) -> None:
    async with shown(f"ws={h265.ws('one', 'converted')}") as page:
        await page.gain(1)
        for _ in range(2):
            killed = workers(h265)
            os.kill(killed[0], signal.SIGKILL)
            await page.pictures(15)
            assert workers(h265) != killed
    await until(lambda: not workers(h265))


async def test_a_worker_ends_with_the_relay(own_rack: Rack) -> None:
    await asyncio.to_thread(own_rack.camera, "one", "h265")
    async with aiohttp.ClientSession() as session:
        await session.ws_connect(own_rack.ws("one", "converted"), max_msg_size=0)
        await until(lambda: bool(workers(own_rack)))
        pids = workers(own_rack)
        assert own_rack.process
        own_rack.process.kill()
        await until(lambda: not any(map(converts, pids)))


async def test_a_camera_that_goes_away_ends_its_worker_and_comes_back(own_rack: Rack) -> None:
    camera = await asyncio.to_thread(own_rack.camera, "one", "h265")
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(own_rack.ws("one", "converted"), max_msg_size=0)
        await socket.receive(timeout=20)
        await asyncio.to_thread(camera.kill)
        while (said := await socket.receive(timeout=20)).type != aiohttp.WSMsgType.TEXT:
            pass
        while json.loads(said.data)["type"] != "note":
            said = await socket.receive(timeout=20)
        await until(lambda: not workers(own_rack))
        await asyncio.to_thread(camera.start)
        while (await socket.receive(timeout=20)).type == aiohttp.WSMsgType.TEXT:
            pass
        await socket.close()


@pytest.mark.parametrize("kind", ["h265", "bframes", "paced"])
def test_players_read_it_over_rtsp_whatever_the_camera_sends(own_rack: Rack, kind: str) -> None:
    own_rack.camera("one", kind, "1280x720")
    words = ["-select_streams", "v:0", "-read_intervals", "%+#30", "-show_entries",
             "stream=codec_name,width,height:packet=pts_time", "-of", "json"]  # fmt: skip
    done = subprocess.run(
        [*PROBE, *words, own_rack.rtsp("one", "converted")], capture_output=True, timeout=60
    )
    found = json.loads(done.stdout)
    stream = found["streams"][0]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 960, 540)
    times = [float(one["pts_time"]) for one in found["packets"] if "pts_time" in one]
    assert len(times) >= 25
    assert times == sorted(times)
