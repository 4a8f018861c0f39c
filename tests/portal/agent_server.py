"""Agents answer on loopback: main's by plain HTTP, those of subs by mutual TLS."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from services.node import pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.portal.agent import Agent


def served(agent: Agent, prefix: str) -> type[BaseHTTPRequestHandler]:
    """A handler that answers for `agent` below `prefix`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = json.loads(sent) if sent else None
            status, body = agent.answer(self.command, self.path.removeprefix(prefix), asked)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the standard library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serving(
    agent: Agent, address: str, port: int, prefix: str = "", tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    """Answer for `agent` in a thread."""
    with ThreadingHTTPServer((address, port), served(agent, prefix)) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield
        server.shutdown()


def certificates(folder: Path, credentials: Path) -> Callable[[str], ssl.SSLContext]:
    """Main's certificate files; returns what makes the server side of another node."""
    ca_key, ca = pki.make_ca("Test")
    (folder / "ca.pem").write_bytes(pki.pem(ca))

    def issue(name: str) -> tuple[bytes, bytes]:
        key = pki.new_key()
        signed = pki.sign(ca_key, ca, key.public_key(), pki.Names.of(name, ["127.0.0.1"]))
        return pki.pem(signed), pki.key_pem(key)

    certificate, key = issue("main-a")
    (folder / "node.pem").write_bytes(certificate)
    (credentials / "node.key").write_bytes(key)

    def server(name: str) -> ssl.SSLContext:
        certificate, key = issue(name)
        path = folder / f"{name}.pem"
        path.write_bytes(certificate + key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
        context.load_cert_chain(path)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    return server
