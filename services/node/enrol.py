"""A sub's part of trust: it makes its key here and has main sign it, once, with a token."""

import json
import ssl
import sys
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.node import pki
from services.node.report import Report
from services.runtime.config import Center
from services.runtime.errors import Problem

SECONDS = 20
MOST_BYTES = 64 * 1024


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
    answer = _ask(
        desk, ca, {"name": names.name, "token": token, "csr": pki.request(store.key(), names).decode()}
    )
    store.save_issued(*_checked(answer, store.key(), names))
    report = Report()
    report.add(f"certificate for {names.name}")
    return report


def renew(folder: Path, center: Center, names: pki.Names) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """A certificate with these names from main, and the authorities that main trusts; nothing is written.

    Main knows the node by its present certificate, and is itself verified by what the node trusts.
    """
    store = pki.Store(folder)
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "node.pem", folder / "node.key")
    desk = Desk(center.address, center.https_port, "")
    body = json.dumps({"csr": pki.request(store.key(), names).decode()})
    answer = _talk(desk, context, "POST", body, "/cluster/smc/renew")
    return _checked(answer, store.key(), names)


def _pinned(desk: Desk) -> x509.Certificate:
    """The authority that main names, only if it is the pinned one.

    This first connection is not verified and carries no secret; the second is verified by what it brought.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answer = _talk(desk, context, "GET", "")
    try:
        known = {pki.fingerprint(ca): ca for ca in x509.load_pem_x509_certificates(answer["ca"].encode())}
    except (KeyError, ValueError) as problem:
        raise _nonsense(desk, f"it named no authority ({problem})") from problem
    found = known.get(desk.ca_fingerprint)
    if found is None:
        raise Problem(
            "wrong-authority",
            f"{desk.address}:{desk.port} belongs to another authority; no token was sent to it.",
            f"Its authority is {', '.join(known)}, expected was {desk.ca_fingerprint}.",
            "Check the address of main. If main was rebuilt, `dss node token` there prints the new one.",
        )
    return found


def _ask(desk: Desk, ca: x509.Certificate, body: dict[str, str]) -> dict[str, str]:
    """Send name, token and request to main, verified by its authority."""
    context = ssl.create_default_context(cadata=pki.pem(ca).decode())
    return _talk(desk, context, "POST", json.dumps(body))


def _talk(desk: Desk, context: ssl.SSLContext, method: str, body: str, path: str = "/join") -> dict[str, str]:
    """One exchange with main; its JSON object. Problem for every way in which it can fail."""
    connection = HTTPSConnection(desk.address, desk.port, context=context, timeout=SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        text = response.read(MOST_BYTES)
    except ssl.SSLCertVerificationError as problem:
        raise _nonsense(desk, f"its certificate is not good: {problem.verify_message}") from problem
    except (OSError, HTTPException) as problem:
        raise _unreachable(desk, problem) from problem
    finally:
        connection.close()
    return _understood(desk, response.status, text)


def _understood(desk: Desk, status: int, text: bytes) -> dict[str, str]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and status == 200:
        return answer
    if isinstance(answer, dict) and "what" in answer:
        raise Problem(
            answer.get("code", "refused"), answer["what"], answer.get("why", ""), answer.get("remedy", "")
        )
    raise _nonsense(desk, f"it answered with HTTP status {status}")


def _checked(
    answer: dict[str, str], key: ec.EllipticCurvePrivateKey, names: pki.Names
) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The certificate and the authorities in main's answer, only if it is the certificate asked for."""
    try:
        trusted = pki.authorities(answer["ca"].encode())
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        fault = pki.fault(certificate, trusted, pki.key_pem(key), names)
    except (KeyError, ValueError, x509.ExtensionNotFound) as problem:
        fault = f"it cannot be read ({problem})"
    if fault:
        raise Problem(
            "wrong-certificate",
            "Main returned a certificate that cannot be used; nothing was written.",
            f"About the certificate: {fault}.",
            "Check that name and addresses of this node are the same on main, then join again.",
        )
    return certificate, trusted


def _unreachable(desk: Desk, problem: Exception) -> Problem:
    return Problem(
        "main-unreachable",
        f"Main cannot be reached at {desk.address}:{desk.port}.",
        f"{type(problem).__name__}: {problem}.",
        "Check the network and that main's DSS_NGINX runs (`dss status` there), then try again.",
    )


def _nonsense(desk: Desk, why: str) -> Problem:
    return Problem(
        "main-not-understood",
        f"{desk.address}:{desk.port} does not answer as a main node does.",
        f"In detail: {why}.",
        "Check the address and port of main, and that its DSS_NGINX and DSS_SMC run.",
    )
