"""A page that plays by WHEP in real Chromium; its offers go through a server of its own to DSS_MTS."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from mts_rack import Rack

from tests import browser

PAGE = """<!doctype html><video autoplay></video><script>
const video = document.querySelector('video'), stream = new MediaStream(), peer = new RTCPeerConnection();
video.srcObject = stream;
for (const kind of ['video', 'audio']) peer.addTransceiver(kind, {direction: 'recvonly'});
peer.ontrack = ({track, receiver}) => { receiver.jitterBufferTarget = 0; stream.addTrack(track); };
let shown = 0, closed = false;
const next = () => { shown += 1; video.requestVideoFrameCallback(next); };
video.requestVideoFrameCallback(next);
const opened = (async () => {
  await peer.setLocalDescription();
  const body = peer.localDescription.sdp;
  const answer = await fetch('/offer', {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body});
  if (answer.status !== 201) return answer.json();
  window.place = answer.headers.get('Location');
  await peer.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  return null;
})();
async function figures() {
  const found = {shown, state: peer.connectionState, why: await opened};
  for (const one of (await peer.getStats()).values()) if (one.type === 'inbound-rtp') found[one.kind] = one;
  return JSON.stringify(found);
}
</script>"""


async def post(rack: Rack, channel: str, offer: bytes, **changes: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an offer."""
    headers = {"Content-Type": changes.get("kind", "application/sdp")}
    address = rack.http(f"/whep/{channel}/main", channel)
    async with aiohttp.ClientSession() as session, session.post(address, data=offer, headers=headers) as got:
        return got.status, {**got.headers}, await got.text()


async def ended(rack: Rack, channel: str, place: str) -> int:
    """The status of ending a session."""
    address = rack.http(f"/whep/{channel}/{place.lstrip('/')}").split("?")[0]
    async with aiohttp.ClientSession() as session, session.delete(address) as got:
        return got.status


@asynccontextmanager
async def page_server(rack: Rack, channel: str) -> AsyncIterator[str]:
    """The address of the page; its offers go to DSS_MTS with a fresh token each."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def offer(request: web.Request) -> web.Response:
        status, headers, text = await post(rack, channel, await request.read())
        kept = {name: headers[name] for name in ("Location", "X-Sound") if name in headers}
        return web.Response(text=text, status=status, content_type=headers["Content-Type"].split(";")[0],
                            headers=kept)  # fmt: skip

    async def end(request: web.Request) -> web.Response:
        return web.Response(status=await ended(rack, channel, request.path))

    app = web.Application()
    app.add_routes([web.get("/", page), web.post("/offer", offer), web.delete("/main/{session}", end)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class Shown:
    """One page that plays."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401 - playwright's types are not there for all of it
        self.page = page

    async def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.page.evaluate("figures()"))
        return found

    async def until(self, wish: str) -> dict[str, Any]:
        """The figures once an expression about `f`, the figures, is true."""
        wait = f"figures().then((text) => {{ const f = JSON.parse(text); return {wish}; }})"
        await self.page.wait_for_function(f"() => {wait}", timeout=30_000, polling=250)
        return await self.figures()


@asynccontextmanager
async def watching(rack: Rack, channel: str, pages: int = 1) -> AsyncIterator[list[Shown]]:
    """So many pages of one Chromium that play a channel."""
    from playwright.async_api import async_playwright

    arguments = [*browser.LAUNCH["args"], "--autoplay-policy=no-user-gesture-required"]
    async with async_playwright() as play, page_server(rack, channel) as address:
        chromium = await play.chromium.launch(**browser.LAUNCH | {"args": arguments})
        try:
            made = [await chromium.new_page() for _ in range(pages)]
            for one in made:
                await one.goto(address)
            yield [Shown(one) for one in made]
            for one in made:
                await one.evaluate("window.place && fetch(place, {method: 'DELETE'})")
        finally:
            await chromium.close()
