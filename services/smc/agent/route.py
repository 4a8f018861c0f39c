"""Where another node's DSS_NGINX is: asked by main's DSS_NGINX before it passes media on."""

import asyncio
import re
from dataclasses import dataclass, field

from aiohttp import web

from services.runtime import clock
from services.runtime.auth import public
from services.runtime.errors import Problem
from services.runtime.http import HTTPS, join_host_port
from services.smc import nodes, store

FRESH_SECONDS, MOST_KEPT = 2.0, 256
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")


@dataclass
class Route:
    """Answers from a cache of two seconds, so that each new viewer costs no look-up."""

    kept: dict[str, tuple[float, str]] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        """`GET /route/<name>`: 204 with X-Node-Address, or 404; it tells nothing secret."""

        @public
        async def answer(request: web.Request) -> web.Response:
            address = await self.address(request.match_info["name"])
            return web.Response(status=204, headers={"X-Node-Address": address})

        return [web.get("/route/{name}", answer)]

    async def address(self, name: str) -> str:
        """`ip:port` of an enabled node; Problem 404 for any other."""
        now = clock.monotonic()
        until, address = self.kept.get(name, (0.0, ""))
        if until <= now:
            address = await asyncio.to_thread(_look_up, name) if NAME.fullmatch(name) else ""
            if len(self.kept) >= MOST_KEPT:
                self.kept.clear()
            self.kept[name] = (now + FRESH_SECONDS, address)
        if not address:
            raise Problem("node-unknown", f"There is no working node {name!r}.", status=404)
        return address


def _look_up(name: str) -> str:
    with store.session() as session:
        try:
            node = nodes.get(session, name)
        except Problem as problem:
            if problem.status == 404:
                return ""
            raise
    port = node.beat.get("https_port", HTTPS)
    return join_host_port(node.address, port) if node.state == "enabled" else ""
