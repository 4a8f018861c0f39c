"""A viewer from outside the platform: takes a live stream as a browser gets it, decodes it with FFmpeg."""

import asyncio
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import av

from lab import counter


@dataclass(frozen=True)
class Watched:
    """What came out of one live view: seconds, bytes, and the burnt-in counter of every decoded frame."""

    mime: str
    first_picture: float
    seconds: float
    size: int
    counters: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Frames decoded."""
        return len(self.counters)

    @property
    def lost(self) -> int:
        """Frames the camera made between the first and the last decoded one that never arrived."""
        return self.counters[-1] - self.counters[0] + 1 - self.frames if self.counters else 0


@asynccontextmanager
async def _session(trust: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of which nothing is left open behind it."""
    opened: list[socket.socket] = []

    def open_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        opened.append(socket.socket(*info[:3]))
        return opened[-1]

    connector = aiohttp.TCPConnector(ssl=trust, socket_factory=open_socket)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield session
    finally:
        # A host without power never answers the farewells of WebSocket and TLS.
        for one in opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        await asyncio.sleep(0.05)
        for one in opened:
            one.close()


async def _receive(url: str, trust: ssl.SSLContext, seconds: float) -> tuple[str, float, bytes]:
    async with _session(trust) as session:
        return await _take(session, url, seconds)


async def _take(session: aiohttp.ClientSession, url: str, seconds: float) -> tuple[str, float, bytes]:
    started = time.monotonic()
    async with session.ws_connect(url, timeout=aiohttp.ClientWSTimeout(ws_close=1)) as stream:
        mime = await _begun(stream)
        # The first part is the init segment, the second the first picture.
        parts = [await _part(stream), await _part(stream)]
        seen = time.monotonic()
        while time.monotonic() - seen < seconds:
            parts.append(await _part(stream))
    return mime, seen - started, b"".join(parts)


async def _begun(stream: aiohttp.ClientWebSocketResponse) -> str:
    """The type of the pictures; raises TimeoutError with what the server said meanwhile instead."""
    until, notes = time.monotonic() + 10, ["nothing"]
    while time.monotonic() < until:
        said = json.loads(await stream.receive_str(timeout=10))
        if said["type"] == "init":
            return str(said["mime"])
        notes.append(f"{said['what']} {said['why']}")
    raise TimeoutError(f"no picture within 10 s, but {notes[-1]}")


async def _part(stream: aiohttp.ClientWebSocketResponse) -> bytes:
    """The next piece of MP4; TimeoutError when none comes for ten seconds, whatever is said meanwhile."""
    async with asyncio.timeout(10):
        while True:
            said = await stream.receive()
            if said.type is aiohttp.WSMsgType.BINARY:
                return bytes(said.data)
            if said.type is not aiohttp.WSMsgType.TEXT or json.loads(said.data)["type"] != "note":
                raise ConnectionError(f"no picture, but {said.type.name} {said.data!r}")


def decode(stream: bytes) -> tuple[int, ...]:
    """The burnt-in frame counters of every picture of an fMP4 byte stream, in order."""
    with av.open(io.BytesIO(stream), "r", format="mp4") as container:
        return tuple(counter.read_frame(frame) for frame in container.decode(video=0))


def watch(url: str, trust: ssl.SSLContext, seconds: float) -> Watched:
    """Watch a live WebSocket URL (wss, one-time token included) for some seconds from its first picture on.

    All that came is decoded.
    """
    started = time.monotonic()
    mime, first, stream = asyncio.run(_receive(url, trust, seconds))
    elapsed = time.monotonic() - started
    return Watched(mime, first, elapsed, len(stream), decode(stream))


class Watching:
    """A live view in the background, from the first picture until `end`."""

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        self._stop, self._began = threading.Event(), threading.Event()
        self._parts: list[bytes] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(url, trust), daemon=True)
        self._thread.start()
        if not self._began.wait(20):
            raise TimeoutError(f"no picture: {self._failure or 'nothing came'}")

    def end(self) -> tuple[int, ...]:
        """Stop, and read the counter of every picture that came; raises what broke the view meanwhile."""
        self._stop.set()
        self._thread.join(20)
        if self._failure:
            raise self._failure
        return decode(b"".join(self._parts))

    def _run(self, url: str, trust: ssl.SSLContext) -> None:
        try:
            asyncio.run(self._receive(url, trust))
        except BaseException as failure:
            self._failure = failure

    async def _receive(self, url: str, trust: ssl.SSLContext) -> None:
        async with _session(trust) as session, session.ws_connect(url) as socket:
            await _begun(socket)
            while not self._stop.is_set():
                self._parts.append(await _part(socket))
                if len(self._parts) == 2:
                    self._began.set()
