"""What DSS_SS of main asks of nodes that made parts of an export: what stands in them, and their bytes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from aiohttp import ClientError, ClientSession, ClientTimeout

from services.runtime import auth, config, tls
from services.runtime.errors import Problem
from services.ss.exports.archive import Member
from services.ss.exports.collection import Part

CHUNK = 256 * 1024
_SHORT, _LONG = ClientTimeout(total=10), ClientTimeout(total=None, sock_connect=5, sock_read=60)
_LARGEST = 4 * 1024 * 1024
FAILED = (ClientError, TimeoutError, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class Neighbour:
    """A node that has a part; `address` "" is this one itself."""

    name: str
    address: str
    port: int


async def contents(session: ClientSession, node: Neighbour, id: str) -> Part:
    """What the part of a node holds; Problem 409 where it cannot be joined, 502 where the node is silent."""
    try:
        async with _asked(session, node, f"/exports/{id}/members", timeout=_SHORT) as answer:
            if answer.status == 404:
                raise _apart(f"{node.name} has no archive of it, or runs a release that cannot join it.")
            answer.raise_for_status()
            data = await answer.json(content_type=None)
        return Part(node.name, str(data["sha256"]), tuple(Member(**one) for one in data["members"]))
    except FAILED as error:
        raise silent(node.name, error) from error


async def content(
    session: ClientSession, node: Neighbour, id: str, start: int, end: int
) -> AsyncIterator[bytes]:
    """The bytes [start, end) of the part of a node; raises one of FAILED where it breaks off."""
    span = {"Range": f"bytes={start}-{end - 1}"}
    async with _asked(session, node, f"/exports/{id}/bytes", timeout=_LONG, headers=span) as answer:
        if answer.status != 206 or answer.content_length != end - start:
            raise ValueError(f"{node.name} answered with status {answer.status}")
        async for part in answer.content.iter_chunked(CHUNK):
            yield part


def silent(node: str, why: Exception) -> Problem:
    """A node cannot be asked."""
    return Problem(
        "export-part-away", "The export cannot be downloaded now.",
        f"{node} does not give its part ({type(why).__name__}: {why}).",
        "See whether the node is reachable, or download the parts one by one.", status=502,
    )  # fmt: skip


def _apart(why: str) -> Problem:
    return Problem("export-parts-alone", "The parts cannot be joined.", why, "Download them one by one.",
                   status=409)  # fmt: skip


def _asked(
    session: ClientSession, node: Neighbour, path: str, timeout: ClientTimeout,
    headers: dict[str, str] | None = None,
) -> "aiohttp.client._RequestContextManager":  # fmt: skip
    if not node.address:
        url = f"http://127.0.0.1:{config.load_service('ss').ports['http']}{path}"
        return session.get(url, headers=auth.bearer() | (headers or {}), timeout=timeout)
    host = f"[{node.address}]" if ":" in node.address else node.address
    return session.get(
        f"https://{host}:{node.port}/cluster/ss{path}", headers=headers, timeout=timeout,
        ssl=tls.client_context(), server_hostname=f"{node.name}.node.dss",
    )  # fmt: skip
