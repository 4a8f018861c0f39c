"""Which nodes main's DSS_MQ lets in: each has an account of its own there, shared only with its reader."""

import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.node import files
from services.runtime import bus, config, tls
from services.runtime.bus import Login
from services.runtime.message import reader_user, token

LOG = logging.getLogger(__name__)

MANAGER = "manager@main"
CREDENTIAL = "mq-manager"
SECONDS = 3.0


class LinksError(Exception):
    """DSS_MQ could not be told who is let in; it will be told again."""


def path() -> Path:
    """The file that main's nats.conf includes; `DSS_STATE` replaces /var/lib/dss."""
    return Path(os.environ.get("DSS_STATE", "/var/lib/dss")) / "mq" / "nodes.conf"


def reader_login(node: str) -> Login:
    """As whom this agent reads what `node` sends."""
    return Login(reader_user(node), config.credential(CREDENTIAL))


def account(node: str) -> str:
    """The account of a node in main's server."""
    return f"NODE_{token(node)}"


def text(nodes: Mapping[str, bool], password: str) -> str:
    """The accounts of these nodes (name → whether it is let in), in the words of nats-server's configuration.

    A node that is shut out keeps its account, without users: what it still has open leads nowhere.
    """
    return "".join(_entry(name, nodes[name], json.dumps(password)) for name in sorted(nodes))


def _entry(name: str, admitted: bool, password: str) -> str:
    if not admitted:
        return f"{account(name)} {{}}\n"
    leaf = f'{{user: "{token(name)}.node.dss", allowed_connection_types: [LEAFNODE]}}'
    reader = f'{{user: "{reader_user(name)}", password: {password}, allowed_connection_types: [STANDARD]}}'
    return f"{account(name)} {{ users: [{leaf}, {reader}] }}\n"


@dataclass
class Links:
    """Keeps main's server at the list of nodes; `restart` ends links that it can name but not end."""

    restart: Callable[[], Awaitable[None]]
    server: str | None = None
    _told: str | None = None

    async def settle(self, nodes: Mapping[str, bool]) -> None:
        """Make these nodes (name → whether it is let in) the ones that may link; LinksError if it failed."""
        wanted = text(nodes, config.credential(CREDENTIAL))
        if wanted == self._told:
            return
        try:
            # Its group comes from the folder, so that nats-server may read it.
            files.write_if_changed(path(), wanted, 0o640)
            client = await self._connect()
            try:
                await _ask(client, "RELOAD")
                await self._end(client, {account(name) for name, admitted in nodes.items() if not admitted})
            finally:
                await client.close()
        except (NatsError, OSError, TimeoutError) as error:
            raise LinksError(str(error) or type(error).__name__) from error
        self._told = wanted
        LOG.info("DSS_MQ lets in %s", ", ".join(n for n, admitted in nodes.items() if admitted) or "nobody")

    async def _connect(self) -> Client:
        client = Client()
        await client.connect(
            self.server or bus.server_url(),
            tls=tls.client_context(),
            user=MANAGER,
            password=config.credential(CREDENTIAL),
            allow_reconnect=False,
            connect_timeout=2,
            error_cb=_on_error,
        )
        return client

    async def _end(self, client: Client, shut: set[str]) -> None:
        """End the links that nodes now shut out have open. NATS before 2.11 does not tell their number."""
        leafs = (await _ask(client, "LEAFZ")).get("leafs") or []
        links = [leaf.get("id") for leaf in leafs if leaf["account"] in shut]
        for link in filter(None, links):
            await _ask(client, "KICK", {"cid": link})
        if None in links:
            await self.restart()


async def _ask(client: Client, what: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One request to the server by its system account; the data of its answer."""
    server = client._server_info["server_id"]
    request = json.dumps(details or {}).encode()
    reply = await client.request(f"$SYS.REQ.SERVER.{server}.{what}", request, timeout=SECONDS)
    answer = json.loads(reply.data)
    if "error" in answer:
        raise LinksError(f"{what}: {answer['error'].get('description', answer['error'])}")
    data: dict[str, Any] = answer.get("data") or {}
    return data


async def _on_error(error: Exception) -> None:
    LOG.debug("DSS_MQ: %s", error or type(error).__name__)
