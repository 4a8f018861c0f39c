"""Key pictures to JPEG in a worker process that does not outlive its use."""

import asyncio
import io
import subprocess
import time
from collections.abc import AsyncIterator

import av
import pytest

from services.media import pictures as module
from services.media.pictures import Pictures
from services.runtime.errors import Problem


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
    assert size(await pictures.jpeg("H265", unit("libx265", "hevc"), 64)) == (64, 36)


async def test_rubbish_is_refused_with_a_reason_and_the_next_picture_comes(pictures: Pictures) -> None:
    for rubbish in (b"", b"\x00\x00\x00\x01\x65", bytes(1000), unit("libx264", "h264")[:40]):
        with pytest.raises(Problem) as caught:
            await pictures.jpeg("H264", rubbish)
        assert (caught.value.status, caught.value.code) == (503, "no-snapshot")
    with pytest.raises(Problem, match="JPEG"):
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
    with pytest.raises(Problem):
        await pictures.jpeg("H264", h264)
    monkeypatch.undo()
    assert await pictures.jpeg("H264", h264)


async def test_only_so_many_wait_and_one_who_gives_up_spoils_nothing(pictures: Pictures) -> None:
    h264 = unit("libx264", "h264")
    asked = [asyncio.create_task(pictures.jpeg("H264", h264)) for _ in range(module.MAX_WAITING + 3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in answers] == [asyncio.CancelledError, *[bytes] * 7, *[Problem] * 3]


async def test_the_worker_ends_when_its_owner_dies_or_nothing_is_asked() -> None:
    words = ["-c", "import services.media.picture as p; p.IDLE_SECONDS = 0.2; p.main()"]
    process = await asyncio.create_subprocess_exec(
        module.sys.executable, *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
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
