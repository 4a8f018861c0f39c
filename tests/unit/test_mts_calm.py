"""A camera that nobody watches is read in large pieces, and at once again when somebody joins."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest

from services.mts import depay
from services.mts.chunk import Chunk
from services.mts.intake import Intake
from services.mts.record import Recorder
from services.mts.stream import Origin, Stream
from services.mts.viewer import LiveViewer, RelayViewer


def picture(number: int) -> bytes:
    """One frame of 2 kB in one packet; the first one is a key frame."""
    rtp = struct.pack(">BBHII", 0x80, 0xE0, number, number * 3600, 7)
    rtp += (b"\x41" if number else b"\x65") + bytes(2000)
    return b"$\0" + len(rtp).to_bytes(2, "big") + rtp


class Link:
    """An Intake behind a real connection, which the test writes to as a camera would."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.camera: asyncio.StreamWriter
        self.intake: Intake
        self.number = 0

    async def write(self, frames: int) -> None:
        """Some more frames."""
        for _ in range(frames):
            self.camera.write(picture(self.number))
            self.number += 1
        await self.camera.drain()

    async def until(self, count: int) -> None:
        """Return when so many chunks have come."""
        async with asyncio.timeout(10):
            while len(self.chunks) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    one, arrived = Link(), asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one.camera = writer
        arrived.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    one.intake = Intake(0, depay.h264_kind, one.chunks.append, lambda _: None, {})
    port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: one.intake, "127.0.0.1", port)
    one.intake.begin(transport, b"")
    await arrived.wait()
    yield one
    transport.close()
    one.camera.close()
    server.close()


async def calmed(link: Link) -> None:
    """A second with 20 frames has passed, and nobody watches."""
    await link.write(20)
    await link.until(20)
    link.intake.settle()


async def test_frames_gather_while_nobody_watches_and_none_is_lost(link: Link) -> None:
    await calmed(link)
    await link.write(2)
    await asyncio.sleep(0.05)
    assert len(link.chunks) == 20
    await link.write(8)
    await link.until(30)
    assert [chunk.timestamp for chunk in link.chunks] == [n * 3600 for n in range(30)]


async def somebody_joins(link: Link) -> None:
    link.intake.hurry()


async def a_second_passes(link: Link) -> None:
    link.intake.settle()


async def the_camera_leaves(link: Link) -> None:
    link.camera.close()


@pytest.mark.parametrize("event", [somebody_joins, a_second_passes, the_camera_leaves])
async def test_what_has_gathered_comes_at_once_when(
    link: Link, event: Callable[[Link], Awaitable[None]]
) -> None:
    await calmed(link)
    await link.write(2)
    await asyncio.sleep(0.02)
    await event(link)
    await link.until(22)


async def test_frames_that_waited_have_the_times_at_which_they_came(link: Link) -> None:
    await calmed(link)
    before = link.chunks[-1].at
    await asyncio.sleep(0.5)
    await link.write(10)
    await link.until(30)
    times = [chunk.at for chunk in link.chunks[20:]]
    assert [after - at for at, after in pairwise(times)] == [40_000] * 9
    assert times[0] > before


async def test_connection_that_is_gone_is_left_alone(link: Link) -> None:
    await calmed(link)
    link.intake.connection_lost(None)
    link.intake.settle()
    link.intake.hurry()


def test_stream_is_calm_until_somebody_else_than_the_recorder_joins() -> None:
    stream = Stream(("c", "main"), Origin("d", "rtsp://h/", "", ""))
    hurried = list[int]()
    stream.hurry = lambda: hurried.append(1)
    transport = asyncio.Transport()
    recorder = Recorder(transport, stream.remove)
    stream.add_live(recorder)
    assert stream.calm
    assert not hurried
    for join, viewer in (
        (stream.add_live, LiveViewer(transport, stream.remove)),
        (stream.add_relay, RelayViewer(transport, stream.remove, None)),
    ):
        join(viewer)  # type: ignore[operator]
        assert not stream.calm
        stream.remove(viewer)
        assert stream.calm
    assert len(hurried) == 2
