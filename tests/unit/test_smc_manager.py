"""Calls to node agents over real sockets: loopback with the node's token, other nodes by mutual TLS."""

import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, manager, nodes, ports
from services.smc.accounts import Account

if TYPE_CHECKING:
    from tests.conftest import Platform

ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")
SERVICE = {
    "id": "mts",
    "state": "Running",
    "reason": "",
    "since": None,
    "cpu": 1.5,
    "memory": 9,
    "fds": 3,
    "restarts": 0,
}
PEM = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass
class Agent:
    """A speaker of the agent's interface: answers by "METHOD path", everything it was asked, and a delay."""

    answers: dict[str, tuple[int, Any]]
    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    delay: float = 0


@contextmanager
def serving(agent: Agent, context: ssl.SSLContext | None = None) -> Iterator[Agent]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            agent.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            time.sleep(agent.delay)
            status, body = agent.answers.get(f"{self.command} {self.path}", (404, {"no": "route"}))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None: ...  # noqa: ANN401

    with Server(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        agent.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield agent
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def local(platform: "Platform") -> Iterator[Agent]:
    answers: dict[str, tuple[int, Any]] = {
        "GET /services": (200, [SERVICE]),
        "POST /services/mts/restart": (202, {"task": "t1"}),
        "GET /tasks/t1": (200, {"id": "t1", "state": "running",
                                "steps": [{"service": "mts", "state": "Stopping", "message": ""}]}),
        "GET /logs/mts?lines=50": (200, {"lines": ["one", "two"]}),
        "GET /ports": (200, [{"service": "mts", "port": 9100, "listening": True}]),
    }  # fmt: skip
    with serving(Agent(answers)) as agent:
        rewrite(platform, "smc", http=agent.port)
        (platform.files.etc / "catalog.json").write_text(
            json.dumps([{"id": "mts", "code": "DSS_MTS", "label": "Media", "purpose": "Pictures"}])
        )
        yield agent


def rewrite(platform: "Platform", service: str, **changed: int) -> None:
    path = platform.files.etc / "services" / f"{service}.json"
    data = json.loads(path.read_text())
    platform.files.service(service, data["ports"] | changed, data["settings"])


def test_services_of_main_are_asked_with_the_nodes_token(platform: "Platform", local: Agent) -> None:
    with platform.session() as session:
        found = manager.services(session, "main-a")
    assert [(one.id, one.code, one.label, one.state, one.cpu) for one in found] == [
        ("mts", "DSS_MTS", "Media", "Running", 1.5)
    ]
    assert local.asked == [("GET", "/services", "Bearer node-secret")]


def test_an_order_is_audited_and_followed(platform: "Platform", local: Agent) -> None:
    with platform.session() as session:
        task = manager.act(session, "main-a", "mts", "restart", ADMIN)
        assert manager.task(session, "main-a", task).steps == [manager.Step("mts", "Stopping", "")]
        assert manager.logs(session, "main-a", "mts") == ["one", "two"]
        entry = audit.listing(session)[0]
    assert (entry.action, entry.target, entry.actor) == ("service.restart", "main-a/mts", "Admin")


@pytest.mark.parametrize(
    ("service", "verb"), [("mts", "explode"), ("../x", "stop"), ("mts?x", "stop"), ("", "stop")]
)
def test_orders_that_are_none_never_reach_the_agent(
    platform: "Platform", local: Agent, service: str, verb: str
) -> None:
    with platform.session() as session, pytest.raises(Problem):
        manager.act(session, "main-a", service, verb, ADMIN)
    assert local.asked == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, b"<html>"), "node-away"),
        ((200, [{"id": "mts"}]), "node-garbled"),
        ((200, {"services": 1}), "node-garbled"),
        ((500, b""), "node-away"),
        ((200, b"[" * 100_000), "node-away"),
        ((409, {"code": "busy", "what": "Busy.", "why": "w", "remedy": "r"}), "busy"),
    ],
)
def test_an_agent_that_answers_garbage_is_told_clearly(
    platform: "Platform", local: Agent, answer: tuple[int, Any], code: str
) -> None:
    local.answers["GET /services"] = answer
    with platform.session() as session, pytest.raises(Problem) as caught:
        manager.services(session, "main-a")
    assert caught.value.code == code


def test_a_slow_agent_is_given_up_after_three_seconds(platform: "Platform", local: Agent) -> None:
    local.delay = 4
    began = time.monotonic()
    with platform.session() as session, pytest.raises(Problem) as caught:
        manager.services(session, "main-a")
    assert (caught.value.code, caught.value.status) == ("node-away", 504)
    assert time.monotonic() - began < 3.9


def test_the_port_matrix_shows_deployed_rows_while_the_agent_is_away(platform: "Platform") -> None:
    (platform.files.etc / "ports.json").write_text(json.dumps([{"service": "mts", "port": 9100}]))
    with platform.session() as session:
        own = ports.matrix(session)[0]
    assert own.rows == [{"service": "mts", "port": 9100, "listening": None}]
    assert "cannot be asked" in own.problem


def test_the_port_matrix_says_what_listens(platform: "Platform", local: Agent) -> None:
    with platform.session() as session:
        assert ports.matrix(session) == [
            ports.NodePorts("main-a", "main", [{"service": "mts", "port": 9100, "listening": True}], "")
        ]


class Authority:
    """A certificate authority and the node certificates it gives."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        builder = self.builder(self.name, self.key).add_extension(
            x509.BasicConstraints(True, None), critical=True
        )
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    def builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now, issuer = clock.now(), x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(issuer, critical=False)
        )  # fmt: skip

    def node(self, name: str, folder: Path) -> tuple[Path, Path]:
        """Certificate and key files of a node."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(f"{name}.node.dss"), x509.IPAddress(ip_address("127.0.0.1"))]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self.builder(subject, key).add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        folder.mkdir(exist_ok=True)
        (folder / "node.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "node.key").write_bytes(key.private_bytes(*PEM))
        return folder / "node.pem", folder / "node.key"

    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


@pytest.fixture
def authority(platform: "Platform") -> Authority:
    """The site's authority; main has its certificate, sub-1 is enabled at 127.0.0.1."""
    one = Authority()
    certificate, key = one.node("main-a", platform.files.etc / "made")
    (platform.files.etc / "pki" / "node.pem").write_bytes(certificate.read_bytes())
    (platform.files.etc / "pki" / "ca.pem").write_bytes(one.pem())
    (platform.files.credentials / "node.key").write_bytes(key.read_bytes())
    with platform.session() as session:
        nodes.register(session, "sub-1", "sub", "127.0.0.1", None, "1")
    return one


def sub_server(platform: "Platform", signer: Authority, trusted: Authority, name: str) -> ssl.SSLContext:
    folder = platform.files.etc / f"server-{name}"
    certificate, key = signer.node(name, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=trusted.pem().decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def ask_sub(platform: "Platform", context: ssl.SSLContext) -> list[manager.Service]:
    with serving(Agent({"GET /cluster/smc/services": (200, [SERVICE])}), context) as agent:
        rewrite(platform, "nginx", https=agent.port)
        with platform.session() as session:
            return manager.services(session, "sub-1")


def test_another_node_is_asked_by_mutual_tls(platform: "Platform", authority: Authority) -> None:
    found = ask_sub(platform, sub_server(platform, authority, authority, "sub-1"))
    assert [one.id for one in found] == ["mts"]


def test_a_node_with_another_nodes_certificate_is_not_trusted(
    platform: "Platform", authority: Authority
) -> None:
    with pytest.raises(Problem) as caught:
        ask_sub(platform, sub_server(platform, authority, authority, "sub-2"))
    assert caught.value.code == "node-distrusted"


def test_a_certificate_of_another_authority_is_not_trusted(
    platform: "Platform", authority: Authority
) -> None:
    with pytest.raises(Problem) as caught:
        ask_sub(platform, sub_server(platform, Authority(), authority, "sub-1"))
    assert caught.value.code == "node-distrusted"


def test_main_shows_its_own_certificate(platform: "Platform", authority: Authority) -> None:
    with pytest.raises(Problem) as caught:
        ask_sub(platform, sub_server(platform, authority, Authority(), "sub-1"))
    assert caught.value.code in {"node-distrusted", "node-away"}
