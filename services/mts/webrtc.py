"""WebRTC viewers of this node: how many there are, and the process that speaks with them.

That process is there only while somebody watches. Media leaves by one UDP port, which is bound here from the
beginning, so that nobody else can take it.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from typing import Any, cast

from services.media import worker
from services.mts.alone import picture
from services.mts.chunk import Chunk
from services.mts.stream import Stream
from services.mts.viewer import RelayViewer, Viewer
from services.mts.whep import wire
from services.runtime import config
from services.runtime.errors import Problem

LOG = logging.getLogger(__name__)

MOST = 8
IDLE_SECONDS = 20.0
START_SECONDS = 15.0
_BUFFER = 2 * 1024 * 1024
_MAX_NUMBER = 1 << 32


class PipedViewer(RelayViewer):
    """Gets the camera's packets through the pipe of the process that sends them on."""

    def __init__(self, transport: asyncio.Transport, number: int) -> None:
        super().__init__(transport, _nobody, None)
        self._number = number
        self._kind = wire.EARLIER

    def join(self, stream: Stream) -> None:
        """Watch a stream, from its last key frame."""
        self._on_gone = stream.remove
        stream.add_relay(self)
        self._kind = wire.FRAME

    def product(self, chunk: Chunk) -> bytes:
        return wire.message(self._kind, self._number, chunk.data)

    def end(self) -> None:
        """The pipe is everybody's: only this viewing ends."""
        self._on_gone(self)
        with contextlib.suppress(RuntimeError):
            self.transport.write(wire.message(wire.CLOSE, self._number))


def _nobody(_: Viewer) -> None:
    """It has not joined yet."""


@dataclass
class Session:
    """One viewing. `id` is what ends it, and known to its viewer alone."""

    id: str
    number: int
    stream: Stream
    answer: asyncio.Future[str]
    viewer: PipedViewer | None = None
    worker: Process | None = None


class WebRtc:
    """At most `most` sessions; refuses by Problem what cannot be."""

    def __init__(self, sockets: list[socket.socket], most: int = MOST) -> None:
        self._sockets, self._most = sockets, most
        self._sessions: dict[int, Session] = {}
        self._number = 0
        self._worker: Process | None = None
        self._turn = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def open(self, stream: Stream, offer: str) -> tuple[str, str]:
        """The id of a new session and the SDP answer to an offer; raises Problem 400, 406, 409 or 503."""
        tracks = described(stream)
        if len(self._sessions) >= self._most:
            why = f"{len(self._sessions)} are watched by WebRTC on this node, of {self._most} that may be."
            raise _no(why, "Close another one, or open the picture by WebSocket, which carries many.")
        self._number = (self._number + 1) % _MAX_NUMBER
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        session = Session(secrets.token_hex(16), self._number, stream, waiting)
        self._sessions[session.number] = session
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ask(session, {"offer": offer, "tracks": tracks, **self._place()})
                return session.id, await waiting
        except (TimeoutError, OSError) as reason:
            why = f"The process for it did not answer: {reason or 'it took too long'}."
            raise _no(why, "Try again; the log of DSS_MTS says more.") from reason
        finally:
            if not waiting.done() or waiting.cancelled() or waiting.exception():
                self._forget(session)

    def close_session(self, id: str) -> bool:
        """End a session; False where there is none of that id."""
        found = next((one for one in self._sessions.values() if secrets.compare_digest(one.id, id)), None)
        if found:
            self._forget(found)
        return found is not None

    async def close(self) -> None:
        """End everything."""
        if self._idle:
            self._idle.cancel()
        if self._worker and self._worker.returncode is None:
            self._worker.kill()
            await self._worker.wait()
        if self._reading:
            await asyncio.gather(self._reading, return_exceptions=True)
        for one in self._sockets:
            one.close()

    def _place(self) -> dict[str, Any]:
        """Where browsers find the port: on the LAN, and where there is one by the mapping IP."""
        node = config.load_node()
        lan = node.addresses.get("client", node.address)
        hosts = [host for host in (lan, node.mapping_ip) if host]
        return {"hosts": hosts, "port": self._sockets[0].getsockname()[1]}

    async def _ask(self, session: Session, order: dict[str, Any]) -> None:
        async with self._turn:
            if self._idle:
                self._idle.cancel()
            if self._worker is None or self._worker.returncode is not None:
                self._worker = await _started(self._sockets)
                self._reading = asyncio.create_task(self._read(self._worker))
            session.worker = self._worker
            self._tell(wire.OPEN, session.number, json.dumps(order).encode())

    def _tell(self, kind: int, number: int, body: bytes = b"") -> None:
        if self._worker and self._worker.stdin:
            with contextlib.suppress(RuntimeError, OSError):
                self._worker.stdin.write(wire.message(kind, number, body))

    async def _read(self, process: Process) -> None:
        """What the process says, until it ends; nobody watches through it any more then."""
        out = cast("asyncio.StreamReader", process.stdout)
        try:
            while line := await out.readline():
                self._hear(json.loads(line))
        except (ValueError, KeyError) as reason:
            LOG.warning("the process for WebRTC says what is not understood: %s", reason)
            process.kill()
        finally:
            await process.wait()
            if self._worker is process:
                self._worker = None
            for session in [one for one in self._sessions.values() if one.worker is process]:
                if not session.answer.done():
                    session.answer.set_exception(ConnectionResetError(f"it ended with {process.returncode}"))
                self._forget(session)

    def _hear(self, said: dict[str, Any]) -> None:
        session = self._sessions.get(said["number"])
        if session is None:
            return
        if "answer" in said and not session.answer.done():
            session.answer.set_result(said["answer"])
        elif "refused" in said and not session.answer.done():
            session.answer.set_exception(Problem(**said["refused"]))
        elif "connected" in said:
            self._join(session)
        elif "ended" in said:
            LOG.info("a viewing by WebRTC of %s/%s ended: %s", *session.stream.key, said["ended"])
            self._forget(session)

    def _join(self, session: Session) -> None:
        if session.stream.ended:
            self._forget(session)
        elif self._worker and self._worker.stdin:
            pipe = cast("asyncio.Transport", self._worker.stdin.transport)
            session.viewer = PipedViewer(pipe, session.number)
            session.viewer.join(session.stream)

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.number, None) is None:
            return
        if session.viewer:
            session.stream.remove(session.viewer)
        self._tell(wire.CLOSE, session.number)
        if not self._sessions:
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        """Nobody has watched for a while: the process has nothing left to do."""
        if not self._sessions and self._worker and self._worker.returncode is None:
            self._worker.kill()
            self._worker = None


def described(stream: Stream) -> list[dict[str, Any]]:
    """The camera's tracks as `wire.OPEN` has them; raises Problem where WebRTC cannot carry it."""
    video = picture(stream.tracks)
    if video.media.codec != "H264":
        raise Problem(
            "codec-not-carried", "There is no picture by WebRTC.",
            f"The camera sends {video.media.codec}; H.264 is what is carried there.",
            "Open the picture by WebSocket, or set the camera to H.264.", status=409,
        )  # fmt: skip
    if stream.reordered:
        raise Problem(
            "order-not-carried", "There is no picture by WebRTC.",
            "The camera sends pictures in another order than they are shown in (B-frames).",
            "Open the picture by WebSocket, or choose the Baseline profile at the camera.", status=409,
        )  # fmt: skip
    return [
        {"kind": track.media.kind, "codec": track.media.codec, "channel": track.channel,
         "sets": [one.hex() for one in track.media.parameter_sets]}
        for track in stream.tracks
    ]  # fmt: skip


def bound(port: int, hosts: list[str] | None) -> list[socket.socket]:
    """The UDP sockets on these addresses, None is every one; raises Problem when the port is taken."""
    made: list[socket.socket] = []
    for host in hosts or ["0.0.0.0"]:  # noqa: S104  the firewall says who gets here
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        made.append(one)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            one.bind((host, port))
        except OSError as error:
            for opened in made:
                opened.close()
            what, remedy = (
                f"DSS_MTS cannot listen on UDP port {port}.",
                "Free the port or choose another in the inventory.",
            )
            raise Problem("cannot-listen", what, f"{error}.", remedy, status=500) from error
    return made


async def _started(sockets: list[socket.socket]) -> Process:
    numbers = [one.fileno() for one in sockets]
    words = worker.command("services.mts.whep", *map(str, numbers))
    # A message that nobody reads must not hold up what is relayed: no standard error.
    return await asyncio.create_subprocess_exec(
        *words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=worker.environment(), pass_fds=numbers
    )


def _no(why: str, remedy: str) -> Problem:
    return Problem("webrtc-unavailable", "There is no picture by WebRTC.", why, remedy, status=503)
