"""hls.js with low latency in real Chromium plays the relay's HLS from a path of another server."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from mts_rack import Rack

from services.bundle import cache
from tests import browser

pytestmark = pytest.mark.full

PACKAGES = Path(__file__).parent / "hlsjs"
PAGE = """<!doctype html><video muted autoplay></video><script src="/hls.js"></script><script>
const video = document.querySelector('video'), errors = window.errors = [];
const hls = window.hls = new Hls({lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1});
hls.on(Hls.Events.ERROR, (_, {details, fatal}) => errors.push([details, fatal]));
hls.loadSource(decodeURIComponent(location.hash.slice(1)));
hls.attachMedia(video);
</script>"""
FIGURES = """(() => { const q = video.getVideoPlaybackQuality(); return {
  time: video.currentTime, pictures: q.totalVideoFrames, dropped: q.droppedVideoFrames,
  behind: (Date.now() - hls.playingDate) / 1000, hold: hls.latestLevelDetails.partHoldBack, errors}; })()"""


def script() -> str:
    """The source of hls.js, fetched by npm as the lock file says."""

    def fetch(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGES / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True,
                       capture_output=True)  # fmt: skip

    place = cache.part(
        cache.folder() / "hlsjs", cache.key_of((PACKAGES / "package-lock.json").read_text()), fetch
    )
    return (place / "node_modules" / "hls.js" / "dist" / "hls.min.js").read_text()


@asynccontextmanager
async def site(rack: Rack) -> AsyncIterator[str]:
    """The page, the script, and the relay below `/mts/`, on one origin."""
    source = await asyncio.to_thread(script)

    async def through(request: web.Request) -> web.Response:
        where = f"http://127.0.0.1:{rack.ports['http']}{request.raw_path.removeprefix('/mts')}"
        async with aiohttp.ClientSession() as session, session.get(where) as answer:
            kind = answer.headers["Content-Type"]
            return web.Response(
                body=await answer.read(), status=answer.status, headers={"Content-Type": kind}
            )

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def library(_: web.Request) -> web.Response:
        return web.Response(text=source, content_type="text/javascript")

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/hls.js", library), web.get("/mts/{rest:.*}", through)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_hls_js_stays_near_the_camera_and_shows_every_picture(rack: Rack) -> None:
    from playwright.async_api import async_playwright

    parts = urlsplit(rack.http("/hls/one/main/index.m3u8?audio=1"))
    async with async_playwright() as play, site(rack) as origin:
        chromium = await play.chromium.launch(**browser.LAUNCH)
        page = await chromium.new_page()
        wanted = f"/mts{parts.path}?{parts.query}".replace("&", "%26")
        await page.goto(f"{origin}/#{wanted}")
        await page.wait_for_function("video.currentTime > 0 && hls.playingDate", timeout=20_000)
        await asyncio.sleep(10)
        before: dict[str, Any] = await page.evaluate(FIGURES)
        await page.wait_for_function(f"video.currentTime > {before['time'] + 30}", timeout=60_000)
        after: dict[str, Any] = await page.evaluate(FIGURES)
        await chromium.close()
    assert not [one for one in after["errors"] if one[1]]
    # The decoder may be some pictures ahead of what is shown, at either end.
    played = 25 * (after["time"] - before["time"])
    assert abs(after["pictures"] - before["pictures"] - played) <= 10
    # hls.js is further behind after each stall of a busy machine, so that the better figure counts.
    assert min(before["behind"], after["behind"]) < after["hold"] + 2
    assert after["hold"] < 1.5
