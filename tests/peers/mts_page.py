"""What a browser gets: messages of the WebSocket, and a page that plays them, or a file."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests import browser

PAGE = """<!doctype html><video muted autoplay></video><script>
const video = document.querySelector('video'), began = performance.now();
const state = window.state = {first: null, error: null};
video.requestVideoFrameCallback(() => state.first = performance.now() - began);
video.onerror = () => state.error = video.error.message;
const wanted = new URLSearchParams(location.hash.slice(1));
if (wanted.has('src')) video.src = wanted.get('src'); else {
const socket = new WebSocket(wanted.get('ws'));
socket.binaryType = 'arraybuffer';
const source = new MediaSource(), queue = [];
let buffer;
video.src = URL.createObjectURL(source);
const next = () => { if (buffer && !buffer.updating && queue.length) buffer.appendBuffer(queue.shift()); };
const opened = new Promise(done => source.onsourceopen = done);
socket.onmessage = async ({data}) => {
  if (typeof data === 'string') {
    await opened;
    buffer = source.addSourceBuffer(JSON.parse(data).mime);
    buffer.onupdateend = () => {
      const ranges = video.buffered, start = ranges.length ? ranges.start(ranges.length - 1) : 0;
      if (video.currentTime < start) video.currentTime = start;
      next();
    };
  } else queue.push(data);
  next();
};
}
</script>"""


async def serve_page() -> web.AppRunner:
    """The page from loopback: a browser lets no page from elsewhere talk to loopback."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


async def messages(url: str, count: int) -> tuple[dict[str, str], list[bytes]]:
    """The init message and so many binary messages."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        init = json.loads((await socket.receive(timeout=10)).data)
        return init, [(await socket.receive(timeout=10)).data for _ in range(count)]


FIGURES = """(() => { const v = document.querySelector('video'); return {
  time: v.currentTime, pictures: v.getVideoPlaybackQuality().totalVideoFrames,
  heard: v.webkitAudioDecodedByteCount, error: v.error?.message ?? null}; })()"""


@asynccontextmanager
async def shown(fragment: str) -> AsyncIterator["Shown"]:
    """A page of Chromium: `#ws=` plays by Media Source, `#src=` as a plain file."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        chromium = await play.chromium.launch(**browser.LAUNCH)
        page = await chromium.new_page()
        server = await serve_page()
        try:
            await page.goto(f"http://127.0.0.1:{server.addresses[0][1]}/#{fragment}")
            await page.wait_for_function("document.querySelector('video').currentTime > 0", timeout=15_000)
            yield Shown(page)
        finally:
            await chromium.close()
            await server.cleanup()


class Shown:
    def __init__(self, page) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self._page = page

    async def pictures(self, count: int) -> None:
        """Wait for so many more pictures."""
        before = await self._page.evaluate(FIGURES)
        await self._page.wait_for_function(
            f"{FIGURES}.pictures >= {before['pictures'] + count}", timeout=30_000
        )

    async def gain(self, seconds: float) -> dict[str, float]:
        """What came in so many seconds of the picture."""
        before = await self._page.evaluate(FIGURES)
        wait = f"document.querySelector('video').currentTime > {before['time'] + seconds}"
        await self._page.wait_for_function(wait, timeout=20_000)
        after = await self._page.evaluate(FIGURES)
        assert after["error"] is None
        return {name: after[name] - before[name] for name in ("time", "pictures", "heard")}
