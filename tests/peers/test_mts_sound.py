"""Sound, files and single pictures of a running relay: read by FFmpeg, mpv and real Chromium."""

import asyncio
import io
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import av
import pytest
from mts_page import messages, shown
from mts_rack import Rack


@pytest.mark.parametrize(
    "kind", ["aac", *(pytest.param(one, marks=pytest.mark.full) for one in ("alaw", "opus"))]
)
async def test_chromium_plays_the_sound_with_the_pictures(rack: Rack, kind: str) -> None:
    camera = await asyncio.to_thread(rack.camera, kind, kind) if kind != "aac" else None
    try:
        url = rack.ws("one" if kind == "aac" else kind) + "&audio=1"
        async with shown(f"ws={url.replace('&', '%26')}") as page:
            gained = await page.gain(2)
    finally:
        if camera:
            camera.kill()
    assert gained["heard"] > 2000
    assert gained["pictures"] > 40


@pytest.mark.full
async def test_sound_and_pictures_are_both_unbroken(rack: Rack) -> None:
    init, parts = await messages(rack.ws("one") + "&audio=1", 150)
    assert init["mime"].endswith(',mp4a.40.2"')
    with av.open(io.BytesIO(b"".join(parts))) as file:
        rows = [
            (one.stream.type, float(one.pts * one.time_base)) for one in file.demux() if one.pts is not None
        ]
    heard = [time for kind, time in rows if kind == "audio"]
    seen = [time for kind, time in rows if kind == "video"]
    assert len({round(later - earlier, 5) for earlier, later in pairwise(heard)}) == 1
    assert abs(heard[-1] - seen[-1]) < 0.5
    with av.open(io.BytesIO(b"".join(parts))) as file:
        loud = [max(abs(one) for one in memoryview(frame.planes[0]).cast("B").cast("f")[: frame.samples])
                for frame in file.decode(audio=0)]  # fmt: skip
    assert sum(one > 0.1 for one in loud) > 0.9 * len(loud)


def ran(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_ffmpeg_reads_the_plain_file_with_sound(rack: Rack) -> None:
    words = ["ffmpeg", "-v", "error", "-xerror", "-i", rack.http("/live/one/main.mp4?audio=1"), "-map", "0"]
    lines = ran(*words, "-frames:v", "50", "-c:a", "copy", "-f", "framecrc", "-").splitlines()
    assert sum(line.startswith("0,") for line in lines) == 50
    assert sum(line.startswith("1,") for line in lines) > 60


@pytest.mark.full
def test_mpv_plays_the_plain_file(rack: Rack) -> None:
    words = ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=50", "--msg-level=all=warn"]
    assert "rror" not in ran(*words, rack.http("/live/one/main.mp4?audio=1"))


@pytest.mark.full
async def test_chromium_plays_the_plain_file_in_a_video_element(rack: Rack) -> None:
    async with shown(f"src={rack.http('/live/one/main.mp4').replace('&', '%26')}") as page:
        assert (await page.gain(2))["pictures"] > 40


def answer(url: str) -> tuple[int, bytes, str]:
    """Status, body and X-Picture-Time."""
    try:
        with urllib.request.urlopen(url, timeout=20) as got:
            return got.status, got.read(), got.headers["X-Picture-Time"]
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read(), ""


def size(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as file:
        frame = next(file.decode(video=0))
        return frame.width, frame.height


def test_snapshot_is_the_last_key_picture_in_the_width_asked_for(rack: Rack) -> None:
    status, jpeg, taken = answer(rack.http("/snapshot/one"))
    assert (status, size(jpeg)) == (200, (320, 180))
    assert timedelta(0) < datetime.now(UTC) - datetime.fromisoformat(taken) < timedelta(seconds=10)
    assert size(answer(rack.http("/snapshot/one?width=100"))[1]) == (100, 56)
    # The sub stream is pulled for it.
    assert size(answer(rack.http("/snapshot/one?stream=sub"))[1]) == (320, 180)


def test_file_and_snapshot_need_a_token_of_their_channel_that_is_new(rack: Rack) -> None:
    for path in ("/live/one/main.mp4", "/snapshot/one"):
        url = rack.http(path)
        with urllib.request.urlopen(url, timeout=20):
            pass
        assert answer(url)[0] == 403
        assert answer(rack.http(path, "two"))[0] == 403
        assert answer(rack.http(path).split("?")[0])[0] == 403
        assert answer(rack.http(path.replace("one", "none"), "none"))[0] == 404


@pytest.mark.parametrize("width", ["-1", "9000", "x", "1e3", "\u0661"])
def test_a_width_that_is_none_is_refused(rack: Rack, width: str) -> None:
    assert answer(rack.http(f"/snapshot/one?width={urllib.request.quote(width)}"))[0] == 400


def test_a_camera_that_is_away_gives_no_file_and_no_snapshot_but_its_reason(own_rack: Rack) -> None:
    own_rack.assign("one", "rtsp://127.0.0.1:9/")
    own_rack.wait_for("one", "unreachable")
    for path in ("/live/one/main.mp4", "/snapshot/one"):
        status, body, _ = answer(own_rack.http(path))
        assert status == 503
        assert b"cannot be reached" in body
