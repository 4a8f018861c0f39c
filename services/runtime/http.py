"""Calls to services of any node of the site, always through that node's DSS_NGINX and by mutual TLS."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from services.runtime import config, tls
from services.runtime.config import Node
from services.runtime.errors import Problem

HTTPS = 443
ANSWER_LIMIT = 8 * 1024 * 1024
CALL_SECONDS, CONNECT_SECONDS = 5.0, 2.0


@dataclass(frozen=True)
class Answer:
    """What a peer said: HTTP status, headers, JSON body (None without one)."""

    status: int
    headers: Mapping[str, str]
    data: Any


def own_address() -> str:
    """`ip:port` of this node's own DSS_NGINX."""
    return f"127.0.0.1:{config.load_service('nginx').ports['https']}"


def center_address(node: Node) -> str:
    """`ip:port` of the DSS_NGINX of the site's main node; main's own on main.

    Read anew at each call: main may have moved since the service started.
    """
    if node.center is None:
        return own_address()
    center = config.load_node().center or node.center
    return join_host_port(center.address, center.https_port)


def join_host_port(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address (RFC 3986 §3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Peers:
    """Calls services by (`ip:port` of a node's DSS_NGINX, service id, path).

    Every failure is a Problem: the peer's own one if it sent one, else `node-unreachable` (502).
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """For `app.cleanup_ctx`: closes the connections at the end of the service."""
        yield
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        node_address: str,
        service_id: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        seconds: float = CALL_SECONDS,
    ) -> Answer:
        """GET; a 304 comes back as an Answer."""
        return await self._call("GET", node_address, service_id, path, None, headers, seconds)

    async def post(
        self,
        node_address: str,
        service_id: str,
        path: str,
        data: Any = None,  # noqa: ANN401 - JSON is any of its six types
        headers: Mapping[str, str] | None = None,
        seconds: float = CALL_SECONDS,
    ) -> Answer:
        """POST with a JSON body."""
        return await self._call("POST", node_address, service_id, path, data, headers, seconds)

    async def _call(
        self,
        method: str,
        node_address: str,
        service_id: str,
        path: str,
        data: object,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> Answer:
        url = f"https://{node_address}/cluster/{service_id}{path}"
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open().request(
                method,
                url,
                json=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                ssl=tls.client_context(),
            ) as response:
                answer = Answer(response.status, response.headers, await _body(response))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unreachable(node_address, service_id, str(error) or "It did not answer in time") from error
        if answer.status >= 400:
            raise _refusal(answer, node_address, service_id)
        return answer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit_per_host=8))
        return self._session


async def _body(response: aiohttp.ClientResponse) -> Any:  # noqa: ANN401 - JSON is any of its six types
    data = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > ANSWER_LIMIT:
            raise ValueError("The answer is larger than any this service gives")
    return json.loads(data) if data and "json" in response.content_type else None


def _refusal(answer: Answer, node_address: str, service_id: str) -> Problem:
    body = answer.data if isinstance(answer.data, dict) else {}
    if "what" in body:
        code, what, why, remedy = (str(body.get(key, "")) for key in ("code", "what", "why", "remedy"))
        return Problem(code, what, why, remedy, answer.status)
    return _unreachable(node_address, service_id, f"Its DSS_NGINX answered with HTTP {answer.status}")


def _unreachable(node_address: str, service_id: str, why: str) -> Problem:
    return Problem(
        "node-unreachable",
        f"The service {service_id!r} of the node at {node_address} could not be reached.",
        f"{why}.",
        "Check that the node is on, its DSS_NGINX is running and the network between the nodes is up.",
        status=502,
    )
