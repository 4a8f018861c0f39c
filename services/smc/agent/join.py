"""Main's join desk: a node that shows its one-time token gets its certificate signed."""

import json
import logging
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from services.runtime import clock, config
from services.runtime.auth import public
from services.runtime.errors import Problem
from services.smc.agent import child

LOG = logging.getLogger(__name__)

LARGEST_REQUEST = 16 * 1024
SIGNER, SIGN_SECONDS = (sys.executable, "-m", "services.smc.agent.admission"), 20.0
TRIES, TRY_SECONDS, MOST_SOURCES = 10, 60.0, 4096


@dataclass
class Limit:
    """At most ten tries a minute from one source; remembers the 4,096 sources seen last."""

    tries: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def check(self, source: str) -> None:
        """Count a try; Problem 429 if there were too many."""
        now, recent = clock.monotonic(), self.tries.setdefault(source, deque())
        self.tries.move_to_end(source)
        while len(self.tries) > MOST_SOURCES:
            self.tries.popitem(last=False)
        while recent and recent[0] <= now - TRY_SECONDS:
            recent.popleft()
        if len(recent) >= TRIES:
            raise Problem(
                "too-many-tries",
                "The node was not let in.",
                f"There were more than {TRIES} tries from {source} within a minute.",
                "Wait a minute, then try again.",
                status=429,
            )
        recent.append(now)


@dataclass
class Desk:
    """`GET /join` shows the authority, `POST /join` signs for a token."""

    limit: Limit = field(default_factory=Limit)

    def routes(self) -> list[web.RouteDef]:
        """Open routes: a node that joins has nothing yet but its token."""
        show, sign = self.show, self.sign

        @public
        async def show_route(request: web.Request) -> web.Response:
            return await show(request)

        @public
        async def sign_route(request: web.Request) -> web.Response:
            return await sign(request)

        return [
            web.get("/join", show_route),
            web.post("/join", sign_route),
            web.post("/renew", self.renew),
        ]

    async def show(self, _: web.Request) -> web.Response:
        """`{"ca": pem}`: the caller compares its fingerprint with the one it was given."""
        return web.json_response({"ca": config.pki("ca.pem").read_text()})

    async def sign(self, request: web.Request) -> web.Response:
        """`{"name", "token", "csr"}` → `{"certificate", "ca"}`."""
        source = request.headers.get("X-Real-IP", request.remote or "unknown")
        self.limit.check(source)
        name, token, csr = _fields(await _body(request))
        return web.json_response(await _signed("admit", name, token, csr, source))

    async def renew(self, request: web.Request) -> web.Response:
        """`{"csr"}` → `{"certificate", "ca"}` for a node that showed its certificate to DSS_NGINX."""
        name, csr = request.headers.get("X-DSS-Node", ""), (await _body(request)).get("csr")
        source = request.headers.get("X-Real-IP", request.remote or "unknown")
        self.limit.check(source)
        if not (name and isinstance(csr, str)):
            raise _unreadable("It lacks csr, or does not come from a node.")
        return web.json_response(await _signed("renew", name, csr, source))


async def _signed(*words: str) -> dict[str, Any]:
    """What `admission` answers, in a process of its own: an idle main does without what signing needs."""
    try:
        ended = await child.run(SIGNER, SIGN_SECONDS, json.dumps(words).encode())
    except TimeoutError:
        ended = child.Ended(-1, b"", f"It took more than {SIGN_SECONDS:.0f} seconds.")
    answer: dict[str, Any] = json.loads(ended.out) if ended.status == 0 else {}
    if not answer:
        LOG.error("signing failed: %s", ended.errors)
        raise Problem("signing-failed", "The certificate was not made.", "The signing did not end well.",
                      "Look at the log of DSS_SMC on main, then try again.")  # fmt: skip
    if refusal := answer.get("problem"):
        raise Problem(*(refusal[key] for key in ("code", "what", "why", "remedy", "status")))
    LOG.info("%s: %s from %s", words[0], words[1], words[-1])
    return answer


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.content.read(LARGEST_REQUEST + 1)
    while text and len(text) <= LARGEST_REQUEST and (more := await request.content.read(LARGEST_REQUEST)):
        text += more
    try:
        body = json.loads(text) if len(text) <= LARGEST_REQUEST else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _unreadable("It is not a JSON object of at most 16 KB.")
    return body


def _fields(body: dict[str, Any]) -> tuple[str, str, str]:
    values = [body.get(key) for key in ("name", "token", "csr")]
    name, token, csr = (value if isinstance(value, str) else "" for value in values)
    if not (name and token and csr):
        raise _unreadable("It lacks name, token or csr.")
    return name, token, csr


def _unreadable(why: str) -> Problem:
    return Problem(
        "join-body", "The request to join cannot be read.", why, "Run the deployment of this node again.", 400
    )
