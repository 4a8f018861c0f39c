"""HLS with low latency, read by a checking player, ffmpeg, GStreamer, mpv, and hls.js in real Chromium."""

import asyncio
import io
import subprocess
import time
from itertools import pairwise
from urllib.parse import urljoin

import av
import mts_hls
import pytest
from mts_hls import Playlist, get, opened, read
from mts_rack import Rack


def playlist(url: str, query: str = "") -> Playlist:
    status, body, headers = get(url + query)
    assert status == 200, body
    assert headers["Cache-Control"] == "no-store"
    return read(body.decode())


def times(data: bytes, kind: str = "video") -> list[float]:
    """When each sample is shown."""
    with av.open(io.BytesIO(data)) as file:
        stream = next(one for one in file.streams if one.type == kind)
        return [float(one.pts * one.time_base) for one in file.demux(stream) if one.pts is not None]


def piece(url: str, name: str) -> bytes:
    status, body, _ = get(urljoin(url, name))
    assert status == 200, body
    return body


def test_blocking_reloads_give_part_after_part_without_a_missing_frame(rack: Rack) -> None:
    url = opened(rack)
    now = playlist(url)
    init = piece(url, now.rows[0].map)
    data = b"".join(piece(url, part["URI"]) for row in now.rows for part in row.parts)
    began, asked = time.monotonic(), 0
    while time.monotonic() - began < 2:
        hinted, before = now.hint, now
        now = playlist(url, now.next())
        asked += 1
        mts_hls.follows(before, now)
        known = {part["URI"] for row in before.rows for part in row.parts}
        fresh = [part["URI"] for row in now.rows for part in row.parts if part["URI"] not in known]
        # A part that was announced comes.
        assert hinted in fresh
        data += b"".join(piece(url, name) for name in fresh)
    # Each reload waited for its part instead of answering at once.
    assert asked < 10
    shown = times(init + data)
    assert {round(later - earlier, 3) for earlier, later in pairwise(shown)} == {0.04}
    whole = now.whole[-1]
    assert piece(url, whole.uri) == b"".join(piece(url, part["URI"]) for part in whole.parts)


def test_two_viewers_cost_one_packaging_and_the_sound_is_there_when_asked(rack: Rack) -> None:
    first, second = opened(rack), opened(rack)
    assert rack.streams()["one", "main"]["viewers"] == 1
    assert first != second
    loud = opened(rack, more="?audio=1")
    now = playlist(loud)
    heard = times(piece(loud, now.rows[0].map) + piece(loud, now.whole[-1].uri), "audio")
    assert len(heard) > 10


def test_whoever_has_no_session_and_asks_for_what_is_not_there_hears_why(rack: Rack) -> None:
    url = opened(rack)
    again = rack.http("/hls/one/main/index.m3u8")
    assert get(again)[0] == 200
    assert get(again)[0] == 403
    assert get(url.replace("/main/", "/sub/"))[0] == 403
    last = playlist(url).rows[-1].number
    answers = {name: get(urljoin(url, name))[0] for name in (
        "init-77.mp4", "9999999.m4s", f"{last + 5}.0.m4s", "x.m4s",
        f"media.m3u8?_HLS_msn={last + 9}", "media.m3u8?_HLS_msn=x", "media.m3u8?_HLS_part=1",
    )}  # fmt: skip
    assert list(answers.values()) == [404, 404, 404, 404, 400, 400, 400], answers


def counted(words: list[str]) -> int:
    """Pictures that ffmpeg decoded without one error."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return sum(line.startswith("0,") for line in done.stdout.splitlines())


def ffmpeg(url: str, frames: int) -> list[str]:
    words = ["ffmpeg", "-v", "error", "-xerror", "-i", url, "-map", "0:v", "-frames:v", str(frames)]
    return [*words, "-f", "framecrc", "-"]


@pytest.mark.full
@pytest.mark.parametrize("kind", ["h264", "h265", "bframes"])
def test_ffmpeg_decodes_every_frame(rack: Rack, kind: str) -> None:
    camera = rack.camera(f"hls {kind}", kind)
    try:
        assert counted(ffmpeg(rack.http(f"/hls/hls%20{kind}/main/index.m3u8", f"hls {kind}"), 150)) == 150
    finally:
        camera.kill()


@pytest.mark.full
def test_gstreamer_plays(rack: Rack) -> None:
    url = rack.http("/hls/one/main/index.m3u8")
    # uridecodebin3 takes hlsdemux2.
    pipeline = f"uridecodebin3 uri={url} ! videoconvert ! identity eos-after=100 ! fakesink"
    words = ["gst-launch-1.0", *pipeline.split()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr
    assert "EOS" in done.stdout


@pytest.mark.full
def test_mpv_plays(rack: Rack) -> None:
    words = ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=100", "--msg-level=all=error"]
    url = rack.http("/hls/one/main/index.m3u8?audio=1")
    done = subprocess.run([*words, url], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rror" not in done.stdout + done.stderr


@pytest.mark.full
async def test_another_format_is_a_discontinuity_with_an_init_segment_of_its_own(own_rack: Rack) -> None:
    camera = await asyncio.to_thread(own_rack.camera, "one", "h264")
    url = await asyncio.to_thread(opened, own_rack)
    before = await asyncio.to_thread(playlist, url)
    await asyncio.to_thread(camera.kill)
    await asyncio.to_thread(own_rack.wait_for, "one", "unreachable")
    camera.words = ("h264", "640x360")
    await asyncio.to_thread(camera.start)
    until = time.monotonic() + 30
    after = before
    while len({row.map for row in after.whole}) < 2 and time.monotonic() < until:
        later = await asyncio.to_thread(playlist, url)
        mts_hls.follows(after, later)
        after = later
        await asyncio.sleep(0.3)
    new = next(row for row in after.rows if row.map != before.rows[0].map)
    assert new.broken
    with av.open(io.BytesIO(piece(url, new.map) + piece(url, new.uri))) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (640, 360)


@pytest.mark.full
def test_a_session_ends_and_its_packaging_with_it_when_nothing_is_asked(own_rack: Rack) -> None:
    own_rack.camera("one")
    url = opened(own_rack)
    assert own_rack.streams()["one", "main"]["viewers"] == 1
    until = time.monotonic() + 40
    while own_rack.streams()["one", "main"]["viewers"] and time.monotonic() < until:
        time.sleep(0.5)
    assert own_rack.streams()["one", "main"]["viewers"] == 0
    assert get(url)[0] == 410
    assert b"Nothing was asked" in get(url)[1]
