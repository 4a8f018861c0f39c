"""Pictures that a browser cannot decode, converted for it: by real H.265 cameras, in real Chromium."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mts_page import messages, shown
from mts_rack import Rack


@pytest.fixture(scope="module")
def h265_rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """A relay that converts one stream at once, with two H.265 cameras."""
    with Rack(tmp_path_factory.mktemp("rack"), {"converted_streams": 1, "stall_seconds": 2}) as started:
        started.camera("one", "h265")
        started.camera("two", "h265")
        yield started


def workers(rack: Rack) -> list[int]:
    """The processes that convert for a relay."""
    assert rack.process
    children = Path(f"/proc/{rack.process.pid}/task/{rack.process.pid}/children").read_text().split()
    return [
        int(pid) for pid in children
        if b"services.mts.convert" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]  # fmt: skip


async def until(true: object, seconds: float = 30) -> None:
    """Wait until `true()` is."""
    limit = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < limit
        await asyncio.sleep(0.1)


async def test_chromium_shows_an_h265_camera_converted_and_nothing_runs_afterwards(h265_rack: Rack) -> None:
    init, _ = await messages(h265_rack.ws("one"), 1)
    assert "hvc1" in init["mime"]
    async with shown(f"ws={h265_rack.ws('one', 'converted')}") as page:
        assert (await page.gain(2))["pictures"] > 15
        assert len(workers(h265_rack)) == 1
    await until(lambda: not workers(h265_rack))
    assert ("one", "converted") not in h265_rack.streams()
