"""A large archive: how soon DSS_SS starts with it, what it costs when idle, how soon it shows.

`DSS_BENCH_DAYS=30 ./dss bench archive` has a hundred channels of thirty days (4.3 million files, some minutes
to make, and as long to take away); without it, of a tenth of a day.
"""

import asyncio
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from media_archive import MINUTE, Archive
from media_node import Node
from media_results import Figure, record
from media_rig import Processes, percentile, progress

DAYS = float(os.environ.get("DSS_BENCH_DAYS", "0.1"))
CHANNELS, SEEKS = 100, 200
START_SECONDS, MEGABYTES, SEEK_MS = 60.0, 150.0, 300.0
IDLE_SECONDS, AGREE_SECONDS = 20.0, 600.0


async def seek(node: Node, channel: str, at: int) -> float:
    """Milliseconds from the question to the first picture, on a connection that is open."""
    url = f"ws://127.0.0.1:{node.ss_port}/play/{channel}?token={node.pass_for(channel)}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        began = time.monotonic()
        await socket.send_json({"id": 1, "do": "play", "at": at / 1000, "origin": at / 1000})
        told = dict(await socket.receive_json(timeout=20))
        while told["type"] != "gop":
            message = await socket.receive(timeout=20)
            told = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else told
            assert told["type"] != "end", (channel, at)
        assert told["at"] <= at / 1000 < told["end"], told
        assert len((await socket.receive(timeout=20)).data) > 1000
        return (time.monotonic() - began) * 1000


async def opened(node: Node, archive: Archive) -> None:
    """Wait until somebody may watch: DSS_SS asks DSS_DMS for main's key after its start."""
    for _ in range(100):
        try:
            await seek(node, archive.channels[0], archive.start)
            return
        except aiohttp.WSServerHandshakeError:
            await asyncio.sleep(0.1)
    raise AssertionError("nobody may watch")


async def seeks(node: Node, archive: Archive) -> list[float]:
    dice = random.Random(1)  # noqa: S311 - no secret
    span = archive.minutes * MINUTE
    await opened(node, archive)
    moments = [(dice.choice(archive.channels), archive.start + dice.randrange(span)) for _ in range(SEEKS)]
    return [await seek(node, *one) for one in moments]


def agreed(node: Node) -> None:
    """Wait until index and files have been compared."""
    until = time.monotonic() + AGREE_SECONDS
    while "agrees with the files" not in (node.folder / "ss.log").read_text():
        assert time.monotonic() < until
        time.sleep(0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where so many files may lie that they must not stay."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.timeout(3600)
def test_a_large_archive_starts_soon_and_shows_any_second_at_once(folder: Path) -> None:
    node = Node(folder)
    archive = Archive(node.recordings, folder / "state", CHANNELS, DAYS)
    archive.make()
    for channel in archive.channels:
        node.assign(channel, "rtsp://127.0.0.1:9/none")
    began = time.monotonic()
    with node:
        started = time.monotonic() - began
        assert node.recorder
        cost = Processes([node.recorder.pid])
        early = asyncio.run(seeks(node, archive))
        agreed(node)
        compared = time.monotonic() - began
        late = asyncio.run(seeks(node, archive))
        spent = cost.cpu()
        time.sleep(IDLE_SECONDS)
        idle, memory = (cost.cpu() - spent) / IDLE_SECONDS * 100, cost.memory()
    progress(f"  {archive.files} files: {started:.1f} s to start, {compared:.0f} s until compared")
    record(Figure("archive: s until DSS_MTS and DSS_SS answer", started, "must", START_SECONDS))
    record(Figure("archive: MB of DSS_SS", memory, "must", MEGABYTES))
    record(Figure("archive: % of a core when idle", idle, "must", 1.0))
    for name, found in (("at once after the start", early), ("later", late)):
        record(Figure(f"archive: ms to a picture p50, {name}", percentile(found, 0.5), "must", SEEK_MS))
        record(Figure(f"archive: ms to a picture p99, {name}", percentile(found, 0.99), "must", SEEK_MS))
    assert started < START_SECONDS
    assert memory < MEGABYTES
    assert percentile(late, 0.99) <= SEEK_MS
