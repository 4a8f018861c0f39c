"""A sub's part of trust: it makes its key here and has main sign it, once, with a token."""

import json
import socket
import ssl
import sys
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.node import files, pki
from services.node.report import Report
from services.runtime.errors import Problem

SECONDS = 20
MOST_BYTES = 64 * 1024
GET_TOKEN = "Run `dss node token {name}` on main and use what it prints within 15 minutes."  # noqa: S105


@dataclass(frozen=True)
class Desk:
    """Where a node joins: main's DSS_NGINX, and the authority it must belong to (`sha256:` and hex)."""

    address: str
    port: int
    ca_fingerprint: str


def read_token(path: str) -> str:
    """The token in a file, or on standard input for `-`; a token never stands on a command line."""
    text = sys.stdin.readline(1024) if path == "-" else Path(path).read_text()
    return text.strip()


def join(folder: Path, desk: Desk, token: str, names: pki.Names) -> Report:
    """Get this node's certificate from main and write it; Problem says what failed and what to do."""
    store = pki.Store(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    ca = _pinned(desk)
    answer = _ask(desk, ca, {"name": names.name, "token": token, "csr": pki.request(store.key(), names).decode()})
    certificate = _checked(answer, ca, store.key(), names)
    files.write(folder / "ca.pem", pki.pem(ca), 0o644)
    store.save_certificate(certificate)
    report = Report()
    report.add(f"certificate for {names.name}")
    return report


def _connect(desk: Desk, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((desk.address, desk.port), timeout=SECONDS)
    return context.wrap_socket(plain, server_hostname=desk.address)


def _pinned(desk: Desk) -> x509.Certificate:
    """The authority main presents, only if it is the pinned one.

    Nothing secret is sent on this first connection; the second one is verified against what it brought.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(desk, context) as connection:
            connection.sendall(
                f"GET /join/ca HTTP/1.1\r\nHost: {desk.address}\r\nConnection: close\r\n\r\n".encode()
            )
            text = _read(connection)
    except OSError as problem:
        raise _unreachable(desk, problem) from problem
    return _choose(text, desk)


def _read(connection: ssl.SSLSocket) -> bytes:
    parts, size = [], 0
    while (part := connection.recv(16384)) and size < MOST_BYTES:
        parts.append(part)
        size += len(part)
    return b"".join(parts)
