"""Key pictures to JPEG in a worker process that does not outlive its use."""

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import av
import pytest
from aiohttp.test_utils import make_mocked_request

from services.media import pictures as module
from services.media.pictures import PictureError, Pictures
from services.mts import snapshot
from services.mts.chunk import Chunk
from services.runtime.errors import Problem
from services.runtime.rtsp import Track


def unit(encoder: str, kind: str) -> bytes:
    """One key picture in Annex B form."""
    words = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x180", "-frames:v", "1"]
    words += ["-pix_fmt", "yuv420p", "-c:v", encoder, "-x265-params", "log-level=none", "-f", kind, "-"]
    return subprocess.run(words, check=True, capture_output=True).stdout


@pytest.fixture
async def pictures() -> AsyncIterator[Pictures]:
    made = Pictures()
    yield made
    await made.close()


def size(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as file:
        frame = next(file.decode(video=0))
        return frame.width, frame.height


async def test_a_key_picture_becomes_a_jpeg_of_the_width_that_was_asked_for(pictures: Pictures) -> None:
    h264 = unit("libx264", "h264")
    assert size(await pictures.jpeg("H264", h264)) == (320, 180)
    assert size(await pictures.jpeg("H264", h264, 160)) == (160, 90)
    assert size(await pictures.jpeg("H264", h264, 4000)) == (320, 180)
    assert size(await pictures.jpeg("H264", h264, 320, 90)) == (160, 90)
    assert size(await pictures.jpeg("H265", unit("libx265", "hevc"), 64)) == (64, 36)


async def test_rubbish_is_refused_with_a_reason_and_the_next_picture_comes(pictures: Pictures) -> None:
    for rubbish in (b"", b"\x00\x00\x00\x01\x65", bytes(1000), unit("libx264", "h264")[:40]):
        with pytest.raises(PictureError, match="could not be decoded"):
            await pictures.jpeg("H264", rubbish)
    with pytest.raises(PictureError, match="JPEG"):
        await pictures.jpeg("JPEG", b"x")
    assert await pictures.jpeg("H264", unit("libx264", "h264"))


async def test_a_worker_that_was_killed_or_hangs_is_replaced(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    h264 = unit("libx264", "h264")
    await pictures.jpeg("H264", h264)
    assert pictures._worker
    pictures._worker.kill()
    assert await pictures.jpeg("H264", h264)
    subprocess.run(["kill", "-STOP", str(pictures._worker.pid)], check=True)
    monkeypatch.setattr(module, "SECONDS", 0.3)
    with pytest.raises(PictureError, match="did not come to an end"):
        await pictures.jpeg("H264", h264)
    monkeypatch.undo()
    assert await pictures.jpeg("H264", h264)


async def test_only_so_many_wait_and_one_who_gives_up_spoils_nothing(pictures: Pictures) -> None:
    h264 = unit("libx264", "h264")
    asked = [asyncio.create_task(pictures.jpeg("H264", h264)) for _ in range(module.WAITING + 3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in answers] == [asyncio.CancelledError, *[bytes] * 7, *[PictureError] * 3]


async def test_the_worker_ends_when_its_owner_dies_or_nothing_is_asked() -> None:
    words = ["-m", "services.media.picture", "0.2"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    began = time.monotonic()
    assert await process.wait() == 0
    assert time.monotonic() - began < 10
    pictures = Pictures()
    await pictures.jpeg("H264", unit("libx264", "h264"))
    assert pictures._worker
    assert pictures._worker.stdin
    pictures._worker.stdin.close()
    assert await asyncio.wait_for(pictures._worker.wait(), 5) == 0


async def test_a_snapshot_that_cannot_be_decoded_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, pictures: Pictures
) -> None:
    video = SimpleNamespace(kind="video", codec="H264", parameter_sets=())
    stream = SimpleNamespace(key_frame=Chunk(b"", True, 0), tracks=[Track(cast(Any, video), 0)], reason="")
    hub = SimpleNamespace(open=lambda *_: stream, ready=lambda _: asyncio.sleep(0))
    gate = SimpleNamespace(admit=lambda *_: None)
    (route,) = snapshot.routes(cast(Any, hub), cast(Any, gate), pictures)
    request = make_mocked_request("GET", "/snapshot/cam", match_info={"channel": "cam"})
    with pytest.raises(Problem, match="could not be decoded") as caught:
        await route.handler(request)  # type: ignore[arg-type, misc]
    assert (caught.value.status, caught.value.code) == (503, "no-snapshot")
