"""RTSP/1.0 for players (RFC 2326); what is played is a subclass's.

Media comes on the same TCP or TLS connection, or by UDP where a subclass allows it.
A token admits one connection, or a name with a secret. Everything later, the session id included, is bound to
that connection, so that nothing can be replayed on another one.
"""

import asyncio
import logging
import re
import secrets
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, cast
from urllib.parse import parse_qs, urlsplit

from services.media.admission import Admission, Limits, Refusal
from services.media.gate import Gate
from services.media.rtsp_udp import Ports, near, wanted_port
from services.runtime import rtsp_message
from services.runtime.errors import Problem
from services.runtime.rtsp import Track
from services.runtime.rtsp_message import MalformedError, Message

LOG = logging.getLogger(__name__)

METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN"
ADMIT_SECONDS = 10.0
IDLE_SECONDS = 60.0
TRACK = r"(?:/trackID=(\d{1,2}))?/?"
"""How the path of every subclass ends."""
_TRACK_MARK = "/trackID="
_INTERLEAVED = re.compile(r"interleaved\s*=\s*(\d{1,3})\s*-\s*(\d{1,3})", re.IGNORECASE)
_MAX_WAITING = 64 * 1024


class Connection(asyncio.Protocol, ABC):
    """One player."""

    path: ClassVar[re.Pattern[str]]
    """Groups: what names the wanted thing, a channel first, and at last the track number."""
    recorded: ClassVar[bool] = False
    """Whether recordings are played, which not every account may see."""

    def __init__(self, gate: Gate, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._address = ""
        self._session = secrets.token_hex(16)
        self._name: tuple[str, ...] | None = None
        self._task: asyncio.Task[None] | None = None
        self.admission = Admission(gate, self.recorded, self._sent_away)
        self.chosen: dict[int, tuple[Track, int]] = {}
        """Tracks that are set up, by number, each with the player's channel for it."""
        self.udp: Ports | None = None
        """The sockets for players that want UDP; None refuses it."""
        self.places: dict[int, int] = {}
        """The player's UDP port by channel; empty when media comes on the connection."""

    @abstractmethod
    async def open(self, name: tuple[str, ...], query: dict[str, list[str]]) -> None:
        """Open what is named, for a player whose token is used up; raises Problem or Refusal."""

    @property
    @abstractmethod
    def tracks(self) -> list[Track]:
        """What may be set up, after `open`."""

    @property
    @abstractmethod
    def playing(self) -> bool:
        """Whether media is on its way."""

    @abstractmethod
    async def description(self) -> bytes:
        """The SDP."""

    @abstractmethod
    async def prepare(self, message: Message) -> dict[str, str]:
        """Headers of the answer to PLAY."""

    @abstractmethod
    def start(self) -> None:
        """Let media flow; the answer to PLAY is on its way."""

    @abstractmethod
    def stop(self) -> None:
        """Let no more media flow; also called when nothing did."""

    def paused(self) -> dict[str, str]:
        """Headers of the answer to PAUSE."""
        return {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        address = peer[0] if peer else ""
        if not self._limits.enter(address):
            LOG.warning("a player from %s is turned away: too many connections", address)
            self.transport.abort()
            return
        self._address = address
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._task = asyncio.create_task(self._serve())

    def _sent_away(self, why: str) -> None:
        LOG.info("a player from %s is sent away: %s", self._address, why)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _MAX_WAITING:
            self.transport.abort()
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop()
        self._watch(False)
        self.admission.part()
        if self._task:
            self._limits.leave(self._address)
            self._task.cancel()

    async def _serve(self) -> None:
        try:
            while True:
                message = await self._next()
                await self._handle(message)
        except (MalformedError, TimeoutError) as reason:
            LOG.info("a player from %s is dropped: %s", self._address, reason or "it was silent for too long")
        except Exception:
            LOG.exception("a player from %s is dropped", self._address)
        self.transport.close()

    async def _next(self) -> Message:
        while True:
            try:
                return await self._message()
            except TimeoutError:
                if not self._reports():
                    raise

    async def _message(self) -> Message:
        patience = IDLE_SECONDS if self._name else ADMIT_SECONDS
        # A connection that carries media shows by itself when it is dead.
        async with asyncio.timeout(None if self.playing and not self.places else patience):
            while True:
                while self._buffer[:1] == b"$" and len(self._buffer) >= 4:
                    size = 4 + int.from_bytes(self._buffer[2:4], "big")
                    if len(self._buffer) < size:
                        break
                    del self._buffer[:size]
                if self._buffer[:1] != b"$" and (message := rtsp_message.take(self._buffer)):
                    return message
                self._more.clear()
                await self._more.wait()

    async def _handle(self, message: Message) -> None:
        method, uri = message.request
        try:
            if not message.start.endswith("RTSP/1.0"):
                raise Refusal(505)
            handler = self._handlers().get(method)
            if handler is None:
                raise Refusal(405)
            await handler(message, uri)
        except Refusal as refusal:
            if str(refusal):
                LOG.info("a player from %s is refused: %s", self._address, refusal)
            allowed = {"Allow": METHODS} if refusal.status == 405 else {}
            self._reply(message, refusal.status, refusal.headers | allowed)
        except Problem as problem:
            LOG.info("a player from %s is refused: %s", self._address, problem)
            self._reply(message, problem.status if problem.status in rtsp_message.REASONS else 400, {})

    def _handlers(self) -> dict[str, Callable[[Message, str], Awaitable[None]]]:
        return {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "PAUSE": self._pause,
            "GET_PARAMETER": self._get_parameter,
            "TEARDOWN": self._teardown,
        }

    async def _options(self, message: Message, uri: str) -> None:
        self._reply(message, 200, {"Public": METHODS})

    async def _describe(self, message: Message, uri: str) -> None:
        await self._admitted(message, uri)
        base = urlsplit(uri)._replace(query="", fragment="").geturl().rstrip("/") + "/"
        headers = {"Content-Base": base, "Content-Type": "application/sdp"}
        self._reply(message, 200, headers, await self.description())

    async def _setup(self, message: Message, uri: str) -> None:
        number = await self._admitted(message, uri)
        self._check_session(message, required=False)
        if self.playing:
            raise Refusal(455)
        if number is None:
            if len(self.tracks) > 1:
                raise Refusal(459)
            number = 0
        if number >= len(self.tracks):
            raise Refusal(404)
        channel, transport = self._transport_for(number, message)
        self.chosen[number] = self.tracks[number], channel
        self._reply(message, 200, {"Transport": transport})

    async def _play(self, message: Message, uri: str) -> None:
        await self._admitted(message, uri)
        self._check_session(message)
        if not self.chosen or len(self.places) not in (0, 2 * len(self.chosen)):
            raise Refusal(455)
        self._reply(message, 200, await self.prepare(message))
        self._watch(True)
        self.start()

    async def _pause(self, message: Message, uri: str) -> None:
        self._check_session(message)
        self.stop()
        self._reply(message, 200, self.paused())

    async def _get_parameter(self, message: Message, uri: str) -> None:
        self._check_session(message)
        self._reply(message, 200, {})

    async def _teardown(self, message: Message, uri: str) -> None:
        self._check_session(message)
        self.stop()
        self._reply(message, 200, {})
        self.transport.close()

    async def _admitted(self, message: Message, uri: str) -> int | None:
        """Track number of a URI; with the first one a connection is admitted, or not."""
        try:
            parts = urlsplit(uri)
            # Some players append the track to the whole URL, its query included.
            query, mark, track = parts.query.partition(_TRACK_MARK)
            found = self.path.fullmatch(parts.path + mark + track)
            wanted = parse_qs(query, max_num_fields=8)
        except ValueError as reason:
            raise Refusal(400) from reason
        if found is None:
            raise Refusal(404)
        *name, number = found.groups()
        if self._name is None:
            token = wanted.get("token", [""])[0]
            await self.admission.admit(message, token, name[0], self._address)
            await self.open(tuple(name), wanted)
            self._name = tuple(name)
        if tuple(name) != self._name:
            raise Refusal(403)
        return int(number) if number else None

    def _check_session(self, message: Message, required: bool = True) -> None:
        given = message.get("session").split(";")[0].strip()
        if self._name is None or (given != self._session and (given or required)):
            raise Refusal(454)

    def _transport_for(self, number: int, message: Message) -> tuple[int, str]:
        """The channel for a track, and the answer: the first offered transport that is carried."""
        if number in self.chosen:
            for channel in (self.chosen[number][1], self.chosen[number][1] + 1):
                if (port := self.places.pop(channel, None)) and self.udp:
                    self.udp.forget((self._address, port))
        taken = {channel for other, (_, channel) in self.chosen.items() if other != number}
        free = next(channel for channel in range(0, 255, 2) if channel not in taken)
        for offer in message.get("transport").split(","):
            if offer.strip().upper().startswith("RTP/AVP/TCP"):
                pair = _INTERLEAVED.search(offer)
                channel = int(pair[1]) if pair else free
                if channel <= 254 and channel not in taken:
                    return channel, f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
            elif (port := wanted_port(offer)) and (ours := self._udp_port()):
                self.places |= {free: port, free + 1: port + 1}
                ports = f"client_port={port}-{port + 1};server_port={ours}-{ours + 1}"
                return free, f"RTP/AVP;unicast;{ports}"
        raise Refusal(461)

    def _udp_port(self) -> int:
        """Our port for RTP by UDP, 0 where there is none for this player."""
        if self.udp is None or not near(self._address):
            return 0
        try:
            return int(self.udp.pair(self.transport.get_extra_info("sockname")[0])[0].getsockname()[1])
        except OSError as reason:
            LOG.warning("a player from %s gets no UDP: %s", self._address, reason)
            return 0

    def _watch(self, wanted: bool) -> None:
        """Hear the reports of a player whose media goes by UDP, or no longer."""
        for port in self.places.values():
            if self.udp:
                (self.udp.expect if wanted else self.udp.forget)((self._address, port))

    def _reports(self) -> bool:
        """Whether such a player was heard of late: some say that they live in RTCP alone."""
        if self.udp is None or not self.playing:
            return False
        return min(self.udp.silent((self._address, port)) for port in self.places.values()) < IDLE_SECONDS

    def _reply(
        self, message: Message, status: int, headers: Mapping[str, str | list[str]], body: bytes = b""
    ) -> None:
        head = {"CSeq": message.get("cseq", "0"), **headers}
        if self.chosen:
            head["Session"] = f"{self._session};timeout={IDLE_SECONDS:.0f}"
        start = f"RTSP/1.0 {status} {rtsp_message.REASONS[status]}"
        self.transport.write(rtsp_message.write(start, head, body))


async def listen(
    make: Callable[[], Connection],
    who: str,
    port: int,
    hosts: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Serve players on these addresses, None is every one; raises Problem when the port is taken.

    `who` is the code of the service, for that text.
    """
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(make, hosts, port, ssl=tls, backlog=256)
    except OSError as error:
        what, remedy = (
            f"{who} cannot listen on port {port}.",
            "Free the port or choose another in the inventory.",
        )
        raise Problem("cannot-listen", what, f"{error}.", remedy, status=500) from error
