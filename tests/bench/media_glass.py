"""The portal's player in a page of its own, which notes when each picture was sent and when it was shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from media_clip import MARK

from tests import browser

PLAYER = Path(__file__).resolve().parents[2] / "portal" / "static" / "player.js"
# Runs before the player: it looks at each fragment for its decode time and the camera's clock.
PAGE = """<!doctype html><video muted></video><script type="module">
const CLOCK = 90_000, sent = new Map(), found = (window.found = []), text = new TextDecoder("latin1");
class Spied extends WebSocket {
  constructor(url) {
    super(url);
    this.addEventListener("message", ({ data }) => {
      if (typeof data === "string") return;
      const head = text.decode(data.slice(0, 900)), time = head.indexOf("tfdt"), mark = head.indexOf("%s");
      if (time < 0 || mark < 0) return;
      const tick = Number(new DataView(data).getBigUint64(time + 8));
      sent.set(tick, [BigInt("0x" + head.slice(mark + 16, mark + 32)), performance.now()]);
    });
  }
}
window.WebSocket = Spied;
const { Player } = await import("/player.js");
const video = document.querySelector("video");
const look = (now, { mediaTime, expectedDisplayTime }) => {
  const [clock, came] = sent.get(Math.round(mediaTime * CLOCK)) ?? [];
  const wall = (moment) => performance.timeOrigin + moment;
  if (clock) found.push([String(clock), wall(came), wall(Math.max(now, expectedDisplayTime))]);
  video.requestVideoFrameCallback(look);
};
video.requestVideoFrameCallback(look);
const ws = new URLSearchParams(location.hash.slice(1)).get("ws");
new Player(video, async () => ({ ws }), (state, problem) => console.log(state, problem?.why ?? ""));
</script>"""


@asynccontextmanager
async def watching(ws: str) -> AsyncIterator[Any]:
    """A page of Chromium that plays a live URL of DSS_MTS."""
    from playwright.async_api import async_playwright

    runner = await _server()
    async with async_playwright() as play:
        chromium = await play.chromium.launch(**browser.LAUNCH)
        try:
            page = await chromium.new_page()
            await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/#ws={ws.replace('&', '%26')}")
            await page.wait_for_function("window.found?.length > 0", timeout=20_000)
            yield page
        finally:
            await chromium.close()
            await runner.cleanup()


async def _server() -> web.AppRunner:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE % MARK.decode(), content_type="text/html")

    async def player(_: web.Request) -> web.FileResponse:
        return web.FileResponse(PLAYER)

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/player.js", player)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
