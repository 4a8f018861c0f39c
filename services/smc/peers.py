"""Calls to services of nodes: main's own on loopback, others through their DSS_NGINX. Blocking, 3 s."""

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from services.runtime import config, tls
from services.runtime.errors import Problem
from services.smc.nodes import Node

TIMEOUT = 3.0
LARGEST = 4 * 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """A node to call; `address` None is this node itself, `port` None is this node's own HTTPS port."""

    name: str
    address: str | None
    port: int | None = None


def of(node: Node) -> Peer:
    """Where a node is called, as it was heard of last."""
    own = node.name == config.load_node().name
    return Peer(node.name, None if own else node.address, node.beat.get("https_port"))


def parsed(node: str, read: Callable[[], T]) -> T:
    """What `read` makes of a node's answer; Problem 502 when that is not as this release knows it."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem(
            "node-garbled", f"The answer of node {node} cannot be read.",
            f"A part of it is missing or of another kind: {error}.",
            "Its version may differ from main's: update it.", status=502,
        ) from error  # fmt: skip


def call(peer: Peer, method: str, path: str, data: object = None, service: str = "smc") -> Any:  # noqa: ANN401 - JSON
    """The JSON answer of a node's service to `path`, which begins with /; else Problem 502 or 504."""
    connection = _connection(peer, service)
    prefix, headers = _local() if peer.address is None else (f"/cluster/{service}", {})
    text = None if data is None else json.dumps(data)
    if text is not None:
        headers = headers | {"Content-Type": "application/json"}
    try:
        connection.request(method, prefix + path, text, {"Accept": "application/json", **headers})
        answer = connection.getresponse()
        body = answer.read(LARGEST + 1)
    except ssl.SSLError as error:
        raise _distrusted(peer, error) from error
    except TimeoutError as error:
        raise _away(peer, f"It did not answer within {TIMEOUT:.0f} seconds.", 504) from error
    except (OSError, http.client.HTTPException) as error:
        raise _away(peer, f"The connection failed: {error}.", 502) from error
    finally:
        connection.close()
    return _read(peer, answer.status, body)


def told(node: Node, service: str, method: str, path: str, data: object = None) -> dict[str, Any]:
    """The JSON object that a service of a node answers; Problem 502 or 504 where there is none."""
    found = call(of(node), method, path, data, service)
    return parsed(node.name, lambda: dict(found))


def _connection(peer: Peer, service: str) -> http.client.HTTPConnection:
    if peer.address is None:
        port = config.load_service(service).ports["http"]
        return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    return _NamedHTTPS(peer, peer.port or _https_port(), tls.client_context())


class _NamedHTTPS(http.client.HTTPSConnection):
    """Connects to an address and expects a name: the node's own in its certificate."""

    def __init__(self, peer: Peer, port: int, context: ssl.SSLContext) -> None:
        super().__init__(str(peer.address), port, timeout=TIMEOUT, context=context)
        self.expected = f"{peer.name}.node.dss"
        self.trust = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self.trust.wrap_socket(self.sock, server_hostname=self.expected)


def _local() -> tuple[str, dict[str, str]]:
    return "", {"Authorization": f"Bearer {config.credential('node-token')}"}


def _https_port() -> int:
    return config.load_service("nginx").ports.get("https", 443)


def _read(peer: Peer, status: int, body: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        data = json.loads(body) if len(body) <= LARGEST else None
    except (ValueError, RecursionError):
        data = None
    if status < 400 and data is not None:
        return data
    if isinstance(data, dict) and {"code", "what"} <= data.keys():
        told = 502 if status >= 500 or status in (401, 403) else status
        what, why, remedy = (str(data.get(key) or "") for key in ("what", "why", "remedy"))
        raise Problem(str(data["code"]), what, why, remedy, told)
    raise _away(peer, f"It answered with status {status} and no readable text.", 502)


def _away(peer: Peer, why: str, status: int) -> Problem:
    return Problem(
        "node-away",
        f"The node {peer.name} cannot be asked.",
        why,
        "See whether it is running and reachable on the Topology page, then try again.",
        status=status,
    )


def _distrusted(peer: Peer, error: ssl.SSLError) -> Problem:
    return Problem(
        "node-distrusted",
        f"The node {peer.name} cannot be trusted.",
        f"Its certificate was not accepted: {error.reason or error}.",
        "Run the deployment of this node again; if it stays so, someone else answers at its address.",
        status=502,
    )
