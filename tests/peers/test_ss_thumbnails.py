"""Small pictures of recordings: the right one, made once, by a process that ends, never too many at once."""

import asyncio
import io
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
import ss_archive
from ss_archive import FPS

from lab import counter
from services.media import pictures
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.ss import thumbnails
from services.ss.entry import SECOND
from services.ss.retention import Quota
from services.ss.store import Store
from services.ss.thumbnails import WAITING, Thumbnails

BEGIN = 1_790_000_000 * SECOND
SECONDS = 60


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of a camera, with a gap of six seconds from second 20 on; and a file that holds no picture."""
    folder = tmp_path_factory.mktemp("recordings")
    shown = ss_archive.footage(BEGIN, SECONDS)
    seq = ss_archive.write(folder, "cam", shown, 0, 20)
    ss_archive.write(folder, "cam", shown, 26, SECONDS, seq)
    noise = ss_archive.Footage(BEGIN, shown.init, shown.mime, (b"\0\0\0\x04\x65\xff\xff\xff",) * FPS * 2)
    ss_archive.write(folder, "noise", noise)
    return folder


@pytest.fixture
async def made(recordings: Path, tmp_path: Path) -> AsyncIterator[Thumbnails]:
    """What DSS_SS makes them with, over those recordings."""
    store = Store([str(recordings)], tmp_path / "state", Quota(), Health())
    store.recover()
    one = Thumbnails(store.library)
    yield one
    await one.close()
    store.close()


def number(jpeg: bytes) -> int:
    """The burnt-in number of a picture."""
    with av.open(io.BytesIO(jpeg), format="image2pipe") as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (320, 180)
    return counter.read_frame(frame)


async def refused(one: Thumbnails, channel: str, second: float) -> tuple[str, int]:
    with pytest.raises(Problem) as caught:
        await one.of(channel, BEGIN + int(second * SECOND))
    return caught.value.code, caught.value.status


async def test_it_shows_the_key_frame_at_or_before_a_moment_and_none_in_a_gap(made: Thumbnails) -> None:
    for second, key in ((0, 0), (1.999, 0), (2, 50), (19.9, 450), (26, 650), (59.9, 1450)):
        assert number(await made.of("cam", BEGIN + int(second * SECOND))) == key, second
    for second in (-1, 20, 25.9, 60, 1000):
        assert await refused(made, "cam", second) == ("thumbnail-none", 404)
    assert await refused(made, "other", 1) == ("thumbnail-none", 404)
    assert await refused(made, "noise", 1) == ("thumbnail-none", 404)
    assert number(await made.of("cam", BEGIN)) == 0


async def test_more_than_may_wait_are_refused_and_the_same_is_made_once(
    made: Thumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    make = made._pictures.jpeg

    async def counted(codec: str, unit: bytes, width: int, height: int) -> bytes:
        nonlocal count
        count += 1
        return await make(codec, unit, width, height)

    monkeypatch.setattr(made._pictures, "jpeg", counted)
    moments = [BEGIN + n * 2 * SECOND for n in (*range(10), *range(13, 30))]
    ended = await asyncio.gather(
        *(made.of("cam", moment) for moment in moments for _ in range(3)), return_exceptions=True
    )
    codes = {one.code for one in ended if isinstance(one, Problem)}
    good = [one for one in ended if isinstance(one, bytes)]
    assert codes == {"thumbnails-busy"}
    assert count == WAITING
    assert len(good) == 3 * WAITING
    began = time.monotonic()
    assert await made.of("cam", moments[0]) == good[0]
    assert count == WAITING
    print(f"one that is kept: {(time.monotonic() - began) * 1000:.1f} ms")


async def test_the_process_ends_when_nobody_asks_and_comes_back_after_it_was_killed(
    made: Thumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    await made.of("cam", BEGIN)
    first = time.monotonic()
    await made.of("cam", BEGIN + 4 * SECOND)
    print(f"first {(first - began) * 1000:.0f} ms, next {(time.monotonic() - first) * 1000:.0f} ms")
    process = made._pictures._worker
    assert process
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(pictures, "SECONDS", 0.3)
    assert await refused(made, "cam", 6) == ("thumbnail-none", 404)
    assert await process.wait() == -signal.SIGKILL
    monkeypatch.setattr(pictures, "SECONDS", 10.0)
    monkeypatch.setattr(pictures, "IDLE_SECONDS", 0.1)
    assert number(await made.of("cam", BEGIN + 6 * SECOND)) == 150
    again = made._pictures._worker
    assert again
    assert await asyncio.wait_for(again.wait(), 10) == 0


async def test_what_is_kept_is_bounded(made: Thumbnails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "KEPT_BYTES", 20_000)
    for second in range(0, 20, 2):
        await made.of("cam", BEGIN + second * SECOND)
    assert 0 < made._size <= 20_000
    assert made._size == sum(map(len, made._kept.values()))
