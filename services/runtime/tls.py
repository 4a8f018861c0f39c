"""Mutual TLS inside a site: this node's certificate, and the site's own authorities as the only ones trusted.

Certificates are replaced while services run. Whoever opens a connection asks here each time and gets what the
files say by now; connections that are open stay so.
"""

import asyncio
import logging
import ssl
from pathlib import Path

from services.runtime import config
from services.runtime.errors import Problem

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
Stamp = tuple[object, ...]
_kept: dict[str, tuple[Stamp, ssl.SSLContext]] = {}


def client_context() -> ssl.SSLContext:
    """For calls to another node: TLS 1.2 or newer, names checked, node certificate shown.

    The same object while the files are the same. Files that do not fit together leave the one before in use.
    """
    now = stamp(config.pki("ca.pem"), config.pki("node.pem"))
    before = _kept.get("client")
    if before and before[0] == now:
        return before[1]
    try:
        context = ssl.create_default_context(cafile=config.pki("ca.pem"))
        _show(context)
    except (OSError, ssl.SSLError) as error:
        if before and before[0][0] == now[0]:
            return before[1]
        raise _unusable(error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _kept["client"] = now, context
    return context


def server_context() -> ssl.SSLContext:
    """For clients, who show nothing: TLS 1.2 or newer with the node certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _show(context)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(error) from error
    return context


async def keep_current(context: ssl.SSLContext) -> None:
    """Give a server's context each new node certificate, for ever; who is connected notices nothing."""
    known = stamp(config.pki("node.pem"))
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := stamp(config.pki("node.pem"))) != known:
            known = now
            _renew(context)


def _renew(context: ssl.SSLContext) -> None:
    try:
        # A context that took half of a pair could serve nobody: another one tries it first.
        server_context()
        _show(context)
        LOG.info("new connections get the new certificate")
    except (Problem, OSError, ssl.SSLError) as error:
        LOG.warning("the new certificate is not used: %s", error)


def stamp(*paths: Path) -> Stamp:
    """Changes whenever one of the files is replaced."""
    return (str(config.root()), *(_mark(path) for path in paths))


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0, 0
    return state.st_ino, state.st_mtime_ns, state.st_size


def _show(context: ssl.SSLContext) -> None:
    context.load_cert_chain(config.pki("node.pem"), config.credential_path("node.key"))


def _unusable(error: Exception) -> Problem:
    return Problem(
        "certificate-unusable",
        "This node's certificate cannot be used.",
        f"{error}.",
        "Run the deployment again: it checks the certificates and makes missing ones anew.",
        status=500,
    )
