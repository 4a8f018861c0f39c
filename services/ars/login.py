"""Proving to a device that dialled in that this is the platform it belongs to (CGI flavour, roles swapped).

The device asks for the proof, never the other way round: nothing here proves who the device is.
"""

import json
from dataclasses import dataclass

from services.ars.wire import Wire, WireError
from services.runtime.rtsp_auth import Authoriser

CONNECT = "/cgi-bin/api/autoRegist/connect"
LOGIN = "/cgi-bin/api/global/login"
KEEP_ALIVE = "/cgi-bin/api/global/keep-alive"
LONGEST_ID, LONGEST_TOKEN = 64, 256


class RefusedError(Exception):
    """The device does not accept this user and password."""


@dataclass(frozen=True)
class Hello:
    """How a device introduces itself; nothing of it is proved."""

    id: str
    device_class: str


async def hello(wire: Wire) -> Hello:
    """The device's first request, not yet answered; WireError for anything else than a registration."""
    request = await wire.hear()
    if (request.method, request.target.partition("?")[0]) != ("POST", CONNECT):
        raise WireError(f"It asked for {request.method} {request.target[:60]!r}, which is no registration.")
    try:
        said = json.loads(request.body)
        id, kind = said["DeviceID"], said.get("DevClass", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
        raise WireError("Its registration is no JSON object with a DeviceID.") from reason
    if not isinstance(id, str) or not 1 <= len(id) <= LONGEST_ID or not (id.isascii() and id.isprintable()):
        raise WireError(f"Its DeviceID is not 1 to {LONGEST_ID} visible ASCII characters.")
    kind = kind[:32] if isinstance(kind, str) and kind.isprintable() else ""
    return Hello(id, kind)


async def login(wire: Wire, username: str, password: str) -> str:
    """Log in by digest; returns the token for `X-cgi-token`. RefusedError for a wrong password, sent once."""
    challenge = await wire.ask("POST", LOGIN)
    proof = Authoriser(username, password)
    offered = proof.learn(challenge.values("www-authenticate")) if challenge.status == 401 else None
    # Basic would hand the password itself to whoever claims the id.
    if offered is None or offered.scheme != "digest":
        raise WireError(f"It answered the login with HTTP {challenge.status} and no digest challenge.")
    answer = await wire.ask("POST", LOGIN, (("Authorization", proof.header("POST", LOGIN) or ""),))
    if answer.status in (401, 403):
        raise RefusedError
    if answer.status != 200:
        raise WireError(f"It answered the login with HTTP {answer.status}.")
    return _token(answer.body)


def _token(body: bytes) -> str:
    try:
        token = json.loads(body)["Token"]
    except (ValueError, KeyError, TypeError, RecursionError) as reason:
        raise WireError("It let the platform in without a token.") from reason
    if not isinstance(token, str) or not 1 <= len(token) <= LONGEST_TOKEN or not token.isascii():
        raise WireError("Its token cannot be used.")
    if not token.isprintable():
        raise WireError("Its token cannot be used.")
    return token
