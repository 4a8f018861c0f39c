"""A camera's pictures made small: how many, how large, what is left out, how a broken worker starts."""

import asyncio
import io
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import pytest

from services.media import worker
from services.media.interleaved import packets
from services.media.packets import Packets
from services.mts import converted
from services.mts.chunk import Chunk, payloads
from services.mts.convert import DELTA, KEY, SETS, Converter, even_size
from services.mts.converted import Converted, Places
from services.mts.depay import h264_nals
from services.mts.hub import Hub
from services.mts.source import Patience
from services.mts.stream import BUSY, Origin, Stream
from services.runtime.errors import Problem
from services.runtime.rtsp import Track
from services.runtime.sdp import Media

FRAME = 3600
SECOND = 1_000_000


@pytest.fixture(scope="module")
def units() -> list[list[bytes]]:
    """Four seconds of H.265, 640x360, 25 a second, a key picture each second: NAL units of each picture."""
    words = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=640x360:rate=25:duration=4"]
    words += ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0"]
    words += ["-x265-params", "keyint=25:scenecut=0:log-level=none", "-f", "hevc", "-"]
    data = subprocess.run(words, check=True, capture_output=True).stdout
    with av.open(io.BytesIO(data), format="hevc") as file:
        found = [bytes(one) for one in file.demux() if one.size]
    return [[unit.rstrip(b"\0") for unit in one.split(b"\0\0\1") if unit.rstrip(b"\0")] for one in found]


def sent(units: list[list[bytes]], first: int = 0) -> list[tuple[int, int, bytes]]:
    """Kind, time and packets of each picture, as a camera sends them."""
    camera = Packets(True, 96)
    found = []
    for number, unit in enumerate(units):
        time = (first + number * FRAME) % (1 << 32)
        found.append((DELTA if number % 25 else KEY, time, camera.frame(list(unit), 0)))
    return found


def converting(camera: list[tuple[int, int, bytes]], late: int = 0) -> tuple[list[int], bytes]:
    """Times of the pictures that came, in ticks, and their NAL units."""
    return into(Converter("H265", 0), camera, late)


def into(one: Converter, camera: list[tuple[int, int, bytes]], late: int = 0) -> tuple[list[int], bytes]:
    times, data = [], b""
    for kind, time, body in camera:
        for made in one.take(kind, time, late, body):
            times.append(int.from_bytes(next(packets(made))[1][4:8], "big"))
            parts = h264_nals(made, payloads(made, 0))
            data += b"".join(b"\0\0\0\1" + b"".join(part) for part in parts)
    return times, data


def decoded(data: bytes) -> list[tuple[int, int, bool]]:
    with av.open(io.BytesIO(data), format="h264") as file:
        return [(one.width, one.height, one.key_frame) for one in file.decode(video=0)]


@pytest.mark.parametrize("first", [0, 12345, (1 << 32) - 50 * FRAME])
def test_half_of_the_pictures_come_smaller_with_a_key_each_two_seconds(
    units: list[list[bytes]], first: int
) -> None:
    times, data = converting(sent(units, first))
    steps = {(later - earlier) % (1 << 32) for earlier, later in pairwise(times)}
    assert steps == {2 * FRAME}
    pictures = decoded(data)
    assert [one[2] for one in pictures] == [number % 25 == 0 for number in range(50)]
    assert {one[:2] for one in pictures} == {(640, 360)}


def test_late_pictures_are_left_out_and_much_too_late_ones_not_decoded(units: list[list[bytes]]) -> None:
    camera = sent(units)
    one = Converter("H265", 0)
    # What came long before the first viewer leads to the picture of now.
    assert into(one, camera[:20], SECOND)[0] == []
    assert len(into(one, camera[20:22])[0]) == 1
    assert len(into(one, camera[22:50], SECOND)[0]) <= 1
    assert into(one, camera[50:75], 4 * SECOND)[0] == []
    assert len(into(one, camera[75:])[0]) >= 12


def test_rubbish_leads_to_nothing_and_the_next_key_picture_goes_on(units: list[list[bytes]]) -> None:
    camera = sent(units)
    one = Converter("H265", 0)
    assert into(one, [(DELTA, 0, camera[1][2]), (KEY, 0, b""), (KEY, 0, camera[0][2][:60])])[0] == []
    assert into(one, [(SETS, 0, b"\0\0\0\1\x42"), (KEY, 0, bytes(5000))])[0] == []
    sets = b"".join(b"\0\0\0\1" + unit for unit in units[0][:3])
    assert into(one, [(SETS, 0, sets)])[0] == []
    times, data = into(one, camera[25:50])
    assert decoded(data)[0] == (640, 360, True)
    assert len(times) >= 12


def test_a_clock_that_is_set_starts_anew(units: list[list[bytes]]) -> None:
    one = Converter("H265", 0)
    before, _ = into(one, sent(units[:25]))
    for first in (1 << 31, 500):
        times, data = into(one, sent(units[25:50], first))
        assert len(times) == len(before)
        assert decoded(data)[0] == (640, 360, True)


@pytest.mark.parametrize(
    ("size", "made"),
    [((1920, 1080), (960, 540)), ((2592, 1944), (720, 540)), ((1080, 1920), (540, 960)),
     ((321, 181), (320, 180)), ((8192, 2), (960, 2))],
)  # fmt: skip
def test_size_keeps_the_shape(size: tuple[int, int], made: tuple[int, int]) -> None:
    assert even_size(*size) == made


def playing() -> tuple[Stream, Stream]:
    """A camera's stream that plays H.265, and the one that is to be converted from it."""
    origin = Origin("d", "rtsp://h/", "", "")
    camera = Stream(("c", "main"), origin)
    camera.playing([Track(Media("video", 96, "H265", 90_000), 0)])
    return camera, Stream(("c", converted.NAME), origin)


async def test_beyond_the_limit_a_stream_waits_and_says_so() -> None:
    camera, stream = playing()
    places = Places(1)
    async with places:
        source = asyncio.create_task(Converted(stream, Patience(), places, lambda: camera).run())
        while stream.state != BUSY:
            await asyncio.sleep(0.01)
        assert "at most 1 at once" in stream.reason
        with pytest.raises(Problem, match="No more pictures") as refused:
            await Hub(Patience(), 1).ready(stream)
        assert refused.value.status == 503
    while stream.state == BUSY:
        await asyncio.sleep(0.01)
    source.cancel()
    await asyncio.gather(source, return_exceptions=True)
    assert not places.full


async def test_a_node_may_convert_none() -> None:
    hub = Hub(Patience(), 1, 0)
    row = {"id": "c", "device": "d", "source": {"main": "rtsp://127.0.0.1:9/", "sub": "rtsp://127.0.0.1:9/"}}
    hub.take([row])
    with pytest.raises(Problem) as refused:
        hub.open("c", converted.NAME)
    assert (refused.value.status, refused.value.code) == (503, "converting-off")
    await hub.close()


async def test_a_worker_that_always_ends_is_started_more_and_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')"
    monkeypatch.setattr(worker, "command", lambda *_: (sys.executable, "-S", "-c", program))
    camera, stream = playing()
    source = asyncio.create_task(Converted(stream, Patience(), Places(1), lambda: camera).run())
    for number in range(25):
        camera.publish(Chunk(bytes(100), True, number * FRAME))
        await asyncio.sleep(0.1)
    source.cancel()
    await asyncio.gather(source, return_exceptions=True)
    assert 1 <= len((tmp_path / "starts").read_text()) <= 3
    assert "ended" in stream.reason
    assert camera.viewers == 0
