"""Who may call a service: the services of its own node, by the node's token."""

import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from services.runtime import config
from services.runtime.errors import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AnyHandler = TypeVar("AnyHandler", bound=Callable[..., object])


def public(handler: AnyHandler) -> AnyHandler:
    """Mark a handler that `node_only` lets everyone reach: it must check its caller by itself."""
    handler.__dict__["dss_public"] = True
    return handler


@web.middleware
async def node_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in only `Authorization: Bearer <node-token>`, besides `/health` and handlers marked `public`."""
    if request.path == "/health" or getattr(request.match_info.handler, "dss_public", False):
        return await handler(request)
    given = request.headers.get("Authorization", "")
    wanted = f"Bearer {config.credential('node-token')}"
    if not hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode()):
        raise Problem(
            "node-token-required",
            "The call was refused.",
            "It does not carry this node's token.",
            "Call the service through DSS_NGINX with a node certificate of this site.",
            status=401,
        )
    return await handler(request)


def bearer() -> dict[str, str]:
    """The header by which one service of this node calls another."""
    return {"Authorization": f"Bearer {config.credential('node-token')}"}
