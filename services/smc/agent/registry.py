"""Main's ear: beats of all nodes into Redis, facts of all nodes into the database."""

import asyncio
import ipaddress
import json
import logging
from dataclasses import dataclass, field
from typing import Any

import redis
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.runtime.bus import Bus
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.runtime.message import Message, Unready, beat_subject, token
from services.smc import cache, devices, nodes, store
from services.smc.agent import links
from services.smc.agent.links import Links, LinksError

LOG = logging.getLogger(__name__)

BEAT_SECONDS = 30
LARGEST_BEAT = 64 * 1024
LOOK_SECONDS = 2.0
MOST_WAITING = 4096
# Errors of the database itself, not of what is written: trying again can help.
AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
DURABLE = "registry"

Identity = tuple[str, str, str, str | None, str]


@dataclass
class Registry:
    """Beats → `beat:<node>` and the table of nodes; facts → their tables, acknowledged after the commit."""

    bus: Bus
    health: Health
    links: Links
    _known: dict[str, Identity] = field(default_factory=dict)
    _newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _readers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def hear(self, message: Message) -> None:
        """Take a beat from DSS_MQ; one that claims to be another node's is dropped."""
        if message.subject != f"dss.beat.{token(str(message.data.get('node')))}":
            LOG.warning("a beat on %s claims to come from %r", message.subject, message.data.get("node"))
            return
        await self.take(message.data)

    async def take(self, beat: dict[str, Any]) -> None:
        """Accept a beat; only the newest of a node is kept, so that a slow Redis never shows old ones."""
        if beat["node"] in self._newest or len(self._newest) < MOST_WAITING:
            self._newest[beat["node"]] = beat
            self._heard.set()

    async def show(self) -> None:
        """Bring the newest beats to Redis and the table of nodes, for ever."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            while self._newest:
                await self._show(self._newest.pop(next(iter(self._newest))))

    async def _show(self, beat: dict[str, Any]) -> None:
        text = json.dumps(beat, separators=(",", ":"))
        if len(text) > LARGEST_BEAT:
            LOG.warning("a beat of %s is too large and is dropped", beat["node"])
            return
        try:
            await asyncio.to_thread(_show, beat["node"], text)
            self.health.set("redis", True)
        except (redis.RedisError, OSError) as error:
            # Redis is a neighbour: its own row in the service manager says that it is away.
            self.health.set("redis", True, f"beats cannot be shown: {error}")
        await self._note(beat)

    async def follow(self) -> None:
        """Let in and read every node that has joined and is not disabled, for ever."""
        try:
            while True:
                await self._adjust()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for reader in self._readers.values():
                reader.cancel()
            self._readers.clear()

    async def _adjust(self) -> None:
        try:
            linked = await asyncio.to_thread(_linked, self.bus.node.name)
        except (Problem, SQLAlchemyError) as error:
            # Readers that run go on waiting with their fact; MariaDB's own row says that it is away.
            self.health.set("facts", True, f"they wait: {error}")
            return
        try:
            await self.links.settle(linked)
            self.health.set("facts", True)
        except LinksError as error:
            self.health.set("facts", True, f"DSS_MQ cannot be told which nodes may link: {error}")
        self._turn({self.bus.node.name, *(name for name, admitted in linked.items() if admitted)})

    def _turn(self, wanted: set[str]) -> None:
        """Start the readers that are missing, and end those of nodes that are shut out."""
        for name in self._readers.keys() - wanted:
            self._readers.pop(name).cancel()
        for name in wanted - self._readers.keys():
            self._readers[name] = asyncio.create_task(self._read(name))

    async def _read(self, name: str) -> None:
        async def apply(message: Message) -> None:
            await self.apply(name, message)

        if name == self.bus.node.name:
            await self.bus.consume(name, DURABLE, apply)
        # What this connection hears can only come from that node: nobody else is in its account.
        bus = Bus(self.bus.node, Health(), login=links.reader_login(name))
        bus.connect()
        try:
            await bus.subscribe(beat_subject(name), self.hear)
            await bus.consume(name, DURABLE, apply)
        finally:
            await bus.close()

    async def apply(self, node: str, message: Message) -> None:
        """Commit a fact of `node`; raises Unready while the database is away, drops what it cannot read."""
        if message.subject.split(".")[:3] != ["dss", "fact", token(node)]:
            LOG.warning("a fact on %s came from %s and is dropped", message.subject, node)
            return
        if message.subject.split(".")[3:] != ["dms", "device"]:
            return
        try:
            await asyncio.to_thread(_apply, node, message)
        except Problem as problem:
            if problem.status >= 500:
                raise Unready(problem.what) from problem
            LOG.warning("a fact on %s is dropped: %s", message.subject, problem)
        except AWAY as error:
            raise Unready(f"The database gives no answer ({type(error).__name__})") from error

    async def _note(self, beat: dict[str, Any]) -> None:
        try:
            identity = _identity(beat)
            if self._known.get(identity[0]) == identity:
                return
            await asyncio.to_thread(_register, identity)
            self._known[identity[0]] = identity
        except (KeyError, ValueError) as error:
            LOG.warning("a beat is not complete: %s", error)
        except (Problem, SQLAlchemyError) as problem:
            LOG.warning("%s cannot be noted: %s", beat["node"], problem)


def _identity(beat: dict[str, Any]) -> Identity:
    ipaddress.ip_address(beat["address"])
    mapping = beat["mapping_ip"]
    return (
        str(beat["node"]),
        str(beat["role"])[:16],
        str(beat["address"]),
        str(ipaddress.ip_address(mapping)) if mapping else None,
        str(beat["version"])[:32],
    )


def _show(name: str, text: str) -> None:
    cache.client().set(f"beat:{name}", text, ex=BEAT_SECONDS)


def _register(identity: Identity) -> None:
    with store.session() as session:
        nodes.register(session, *identity)


def _linked(main: str) -> dict[str, bool]:
    with store.session() as session:
        return {name: admitted for name, admitted in nodes.linked(session).items() if name != main}


def _apply(node: str, message: Message) -> None:
    with store.session() as session:
        devices.apply_fact(session, message.data, message.id or None, node)
