"""Facts and beats over this node's own DSS_MQ (NATS).

A fact is acknowledged only after the server has written it to disk; it waits there until its readers
have acknowledged it. The stream, its limits and the rules for readers stand in docs/design/messages.md.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import web
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import BadRequestError

from services.runtime import config, consumer, tls
from services.runtime.config import Node
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.runtime.message import (
    STREAM,
    Handler,
    Message,
    decode,
    encode,
    services_user,
    stream_config,
    token,
)

LOG = logging.getLogger(__name__)

MAX_WAITING = 10_000
ACK_SECONDS = 2.0
RECONNECT_SECONDS = 1
RETRY_SECONDS = 1.0
# JetStream error JSStreamNameExistErr: the stream is there with another configuration.
IN_USE = 10058


@dataclass(frozen=True)
class Login:
    """As whom to enter a server."""

    user: str
    password: str


@dataclass(frozen=True)
class _Waiting:
    subject: str
    payload: bytes
    id: str
    stored: asyncio.Future[None]


class _Client(Client):
    """Connects each time, after a break too, with the certificate and the authorities of that moment."""

    @property
    def ssl_context(self) -> ssl.SSLContext:
        return tls.client_context()


class Bus:
    """One connection to this node's DSS_MQ that comes back by itself for as long as the service lives.

    With a `login` it only reads what another node sends; without one it is a service of this node.
    """

    def __init__(
        self, node: Node, health: Health, server: str | None = None, login: Login | None = None
    ) -> None:
        self.node = node
        self.health = health
        self._server = server
        self._login = login
        self._client: Client = _Client()
        self._up = asyncio.Event()
        self._closed = asyncio.Event()
        self._filled = asyncio.Event()
        self._waiting: deque[_Waiting] = deque()
        self._subscriptions: list[tuple[str, Handler]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """For `app.cleanup_ctx`: connects in the background, closes at the end."""
        self.connect()
        yield
        await self.close()

    def connect(self) -> None:
        """Start to connect; returns at once, `connected` tells when it is done."""
        self._note()
        for work in (self._stay_connected(), self._send_waiting()):
            self._tasks.append(asyncio.create_task(work))

    async def close(self) -> None:
        """Stop all work and leave the server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    @property
    def connected(self) -> bool:
        """True while the server can be reached and the stream of facts exists."""
        return self._up.is_set() and self._client.is_connected

    async def publish(self, subject: str, data: dict[str, Any], msg_id: str | None = None) -> None:
        """Store a fact; returns when the server has it on disk, however long that takes.

        A second fact with the same `msg_id` within an hour is dropped by the server.
        Problem `facts-full` if too many facts wait for a server that is away.
        """
        await self.enqueue(subject, data, msg_id)

    def enqueue(self, subject: str, data: dict[str, Any], msg_id: str | None = None) -> asyncio.Future[None]:
        """The same without waiting: facts leave in the order given; the future ends when it is stored."""
        if len(self._waiting) >= MAX_WAITING:
            raise Problem(
                "facts-full",
                "A fact could not be stored.",
                f"DSS_MQ of this node is away and {MAX_WAITING} facts wait for it already.",
                "Start DSS_MQ on this node.",
                status=503,
            )
        stored = asyncio.get_running_loop().create_future()
        # A stored fact nobody waits for must not warn about a result never read.
        stored.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._waiting.append(_Waiting(subject, encode(data), msg_id or uuid4().hex, stored))
        self._filled.set()
        return stored

    async def tell(self, subject: str, data: dict[str, Any]) -> bool:
        """Tell whoever listens now; False (and the message is gone) when the server is away."""
        if not self._client.is_connected:
            return False
        try:
            await self._client.publish(subject, encode(data))
        except NatsError:
            return False
        return True

    async def subscribe(self, subject: str, handler: Handler) -> None:
        """Call `handler` for each core message; a handler's error is logged and ends nothing."""
        self._subscriptions.append((subject, handler))
        if self._up.is_set():
            await self._listen(subject, handler)

    async def consume(self, domain: str, durable: str, handler: Handler) -> None:
        """Read the facts of node `domain` from the first not yet acknowledged, for ever, in order.

        See consumer.follow for what happens when `handler` raises.
        """
        told = ""
        while True:
            await self._up.wait()
            try:
                await consumer.follow(self._client.jetstream(domain=token(domain)), durable, handler)
            except (NatsError, OSError, TimeoutError) as error:
                # A node may be off for days: one line per kind of failure is enough.
                if told != (told := type(error).__name__):
                    LOG.info("facts of %s cannot be read now (%s)", domain, told)
                await asyncio.sleep(RETRY_SECONDS)

    async def _stay_connected(self) -> None:
        while True:
            self._closed.clear()
            try:
                await self._connect_once()
                await self._closed.wait()
            except (NatsError, OSError, TimeoutError, Problem) as error:
                LOG.warning("DSS_MQ cannot be used: %s", error or type(error).__name__)
            self._up.clear()
            self._note()
            await self._client.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def _connect_once(self) -> None:
        self._client = _Client()
        login = self._login or own_login(self.node)
        await self._client.connect(
            self._server or server_url(),
            tls=None if self._server and self._server.startswith("nats:") else tls.client_context(),
            user=login.user,
            password=login.password,
            name=self.node.name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_SECONDS,
            connect_timeout=2,
            ping_interval=5,
            error_cb=_on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_connected,
            closed_cb=self._on_closed,
        )
        for subject, handler in self._subscriptions:
            await self._listen(subject, handler)
        await self._on_connected()

    async def _on_connected(self) -> None:
        while not self._closed.is_set() and not await self._make_stream():
            await asyncio.sleep(RECONNECT_SECONDS)
        self._up.set()
        self._note()

    async def _on_disconnected(self) -> None:
        self._up.clear()
        self._note()

    async def _on_closed(self) -> None:
        self._closed.set()

    async def _make_stream(self) -> bool:
        """True when the stream is there; JetStream may need a moment after the server's start."""
        if self._login is not None:
            return True
        js, wanted = self._client.jetstream(timeout=ACK_SECONDS), stream_config(self.node.name)
        try:
            try:
                await js.add_stream(wanted)
            except BadRequestError as error:
                if error.err_code != IN_USE:
                    raise
                # Made by another release or under another node name: its facts stay, its limits follow.
                await js.update_stream(wanted)
        except (NatsError, TimeoutError) as error:
            self.health.set("mq", True, f"DSS_MQ does not take facts yet ({error})")
            return False
        return True

    async def _listen(self, subject: str, handler: Handler) -> None:
        async def receive(message: Msg) -> None:
            try:
                await handler(Message(message.subject, decode(message.data)))
            except Exception:
                LOG.exception("a message on %s could not be handled", message.subject)

        await self._client.subscribe(subject, cb=receive)

    async def _send_waiting(self) -> None:
        while True:
            await self._filled.wait()
            await self._up.wait()
            fact = self._waiting[0]
            if await self._send(fact):
                self._waiting.popleft()
                if not fact.stored.done():
                    fact.stored.set_result(None)
            else:
                await asyncio.sleep(RECONNECT_SECONDS)
            if not self._waiting:
                self._filled.clear()
            self._note()

    async def _send(self, fact: _Waiting) -> bool:
        js: JetStreamContext = self._client.jetstream()
        headers = {"Nats-Msg-Id": fact.id}
        try:
            await js.publish(fact.subject, fact.payload, timeout=ACK_SECONDS, stream=STREAM, headers=headers)
        except (NatsError, OSError, TimeoutError) as error:
            LOG.warning("a fact waits: DSS_MQ did not store it (%s)", error or type(error).__name__)
            return False
        return True

    def _note(self) -> None:
        # A neighbour that is away is told, but is no fault of this service.
        away = "" if self.connected else "DSS_MQ cannot be reached"
        count = f"{len(self._waiting)} facts wait" if self._waiting and away else ""
        self.health.set("mq", True, "; ".join(part for part in (away, count) if part))


def own_login(node: Node) -> Login:
    """The login of this node's services at their own server."""
    return Login(services_user(node.name), config.credential("node-token"))


def server_url() -> str:
    """Address of this node's own NATS server."""
    return f"tls://127.0.0.1:{config.load_service('mq').ports['client']}"


async def _on_error(error: Exception) -> None:
    LOG.debug("DSS_MQ: %s", error or type(error).__name__)
