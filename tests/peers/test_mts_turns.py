"""What a camera may do in mid-stream: clocks that wrap, senders that start anew, another size."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from itertools import pairwise

import aiohttp
import av
import pytest
from mts_rack import PROBE, Rack
from mts_script import Picture, Script, pictures
from test_mts_players import run

pytestmark = pytest.mark.full

FRAME = 3600
Play = Callable[[list[Picture]], Script]


@pytest.fixture
def play(rack: Rack) -> Iterator[Play]:
    """Assigns a script as the channel `script`; the rack's own camera stays."""
    made: list[Script] = []

    def one(played: list[Picture]) -> Script:
        made.append(Script(played))
        rack.assign("script", made[0].url)
        rack.wait_for("script", "online")
        return made[0]

    before = rack.channels
    yield one
    rack.channels = before
    made[0].close()


async def watched(rack: Rack, script: Script, count: int) -> tuple[list[dict[str, str]], list[list[bytes]]]:
    """Init messages, and behind each its segment and fragments, until so many fragments have come."""
    inits: list[dict[str, str]] = []
    parts: list[list[bytes]] = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(rack.ws("script"), max_msg_size=0) as socket,
    ):
        while sum(map(len, parts)) < count + len(parts):
            data = (await socket.receive(timeout=10)).data
            if isinstance(data, str):
                inits.append(json.loads(data))
                parts.append([])
            else:
                parts[-1].append(data)
                script.go.set()
    return inits, parts


def frames(parts: list[bytes]) -> list[tuple[float, int]]:
    """Time and width of each decoded picture; raises on any decoder error."""
    with av.open(io.BytesIO(b"".join(parts))) as file:
        file.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return [
            (float(one.pts * one.time_base), one.width) for one in file.decode(video=0) if one.pts is not None
        ]


def stamped(timestamps: list[int]) -> list[Picture]:
    units = pictures("320x180", len(timestamps))
    return [Picture(unit, stamp) for unit, stamp in zip(units, timestamps, strict=True)]


def turned() -> dict[str, list[Picture]]:
    """Fifty pictures each, with a turn in their middle."""
    plain = [number * FRAME for number in range(50)]
    units = pictures("320x180", 50)
    later = [
        Picture(unit, plain[n] + (n >= 30) * 10**9, 7 + (n >= 30), 9 if n == 30 else None)
        for n, unit in enumerate(units)
    ]
    return {
        "the clock wraps": stamped([2**32 - 20 * FRAME + at for at in plain]),
        "the clock is set back": stamped([at - (at >= 30 * FRAME) * 20 * FRAME for at in plain]),
        "the clock is set far forward": stamped([at + (at >= 30 * FRAME) * 2**31 for at in plain]),
        "another sender, number and clock": later,
        "the numbers wrap": [
            Picture(unit, plain[n], 7, 65_520 if not n else None) for n, unit in enumerate(units)
        ],
    }


@pytest.mark.parametrize(
    "turn",
    ["the clock wraps", "the clock is set back", "the clock is set far forward",
     "another sender, number and clock", "the numbers wrap"],
)  # fmt: skip
async def test_pictures_go_on_evenly_when(rack: Rack, play: Play, turn: str) -> None:
    script = await asyncio.to_thread(play, turned()[turn])
    _, parts = await watched(rack, script, 50)
    assert len(parts) == 1
    times = [time for time, _ in frames(parts[0])]
    assert len(times) == 50
    assert {round(later - earlier, 3) for earlier, later in pairwise(times)} == {0.04}


async def test_another_size_in_mid_stream_gives_a_new_init_on_the_same_time_axis(
    rack: Rack, play: Play
) -> None:
    units = [*pictures("320x180", 25), *pictures("640x360", 25)]
    script = await asyncio.to_thread(play, [Picture(unit, n * FRAME) for n, unit in enumerate(units)])
    file = asyncio.create_task(fetched(rack.http("/live/script/main.mp4", "script")))
    await asyncio.sleep(0.2)
    inits, parts = await watched(rack, script, 50)
    assert len(inits) == len(parts) == 2
    first, second = (frames(one) for one in parts)
    assert [{width for _, width in one} for one in (first, second)] == [{320}, {640}]
    assert round(second[0][0] - first[-1][0], 3) == 0.04
    # A file cannot change: it ends, whole, where the other size begins.
    assert len(frames([await asyncio.wait_for(file, 10)])) == 25


async def fetched(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.read()


def test_an_rtsp_player_goes_on_through_another_size(rack: Rack, play: Play) -> None:
    units = [*pictures("320x180", 25), *pictures("640x360", 50)]
    script = play([Picture(unit, n * FRAME) for n, unit in enumerate(units)])
    script.go.set()
    words = [*PROBE, "-show_entries", "frame=width", "-of", "csv=p=0"]
    done = run(*words, "-read_intervals", "%+#60", rack.rtsp("script"))
    assert done.returncode == 0
    assert {"320", "640"} <= set(done.stdout.replace(",", "").split())
