"""What a browser gets: messages of the WebSocket, and a page that plays them, or a file."""

import json

import aiohttp
from aiohttp import web

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
    buffer.onupdateend = next;
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
