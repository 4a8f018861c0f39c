"""From the camera's write to the picture on the screen: DSS_MTS, the portal's player and Chromium.

The camera writes its clock into each picture; the page asks the browser when that picture is to be seen. What
a camera's own sensor and encoder and a monitor take is not in it. Chromium decodes on the processor.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from media_glass import watching
from media_relays import Ours
from media_results import Figure, record
from media_rig import Cameras, percentile, progress

SETTLE, SECONDS = 10.0, 20.0
MUST = 200.0
FIGURES = """(() => {
  const video = document.querySelector("video"), rows = window.found.splice(0);
  return {rows, dropped: video.getVideoPlaybackQuality().droppedVideoFrames, lag: video.dataset.lag};
})()"""


async def look(ws: str) -> tuple[dict[str, Any], dict[str, Any]]:
    async with watching(ws) as page:
        await asyncio.sleep(SETTLE)
        before = await page.evaluate(FIGURES)
        await asyncio.sleep(SECONDS)
        return before, await page.evaluate(FIGURES)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("size", ["small", "large"])
def test_picture_is_shown_soon_after_the_camera_wrote_it(size: str, tmp_path: Path) -> None:
    with Cameras(tmp_path, 1, size=size) as cameras, Ours(cameras, tmp_path) as relay:
        before, after = asyncio.run(look(relay.rack.ws("cam0")))
    ahead = (time.time_ns() - time.monotonic_ns()) / 1e6
    came = [row[1] - (int(row[0]) / 1e6 + ahead) for row in after["rows"]]
    shown = [row[2] - (int(row[0]) / 1e6 + ahead) for row in after["rows"]]
    lost = after["dropped"] - before["dropped"]
    progress(f"  {size}: {len(shown)} pictures looked at, {lost} dropped, {after['lag']} s buffered")
    record(Figure(f"glass_{size}: ms until the page has it p50", percentile(came, 0.5), "must", MUST))
    for share in (0.5, 0.95):
        name = f"glass_{size}: ms from camera to screen p{100 * share:.0f}"
        record(Figure(name, percentile(shown, share), "must", MUST))
    assert len(shown) > SECONDS * 15
    assert percentile(shown, 0.5) <= MUST
