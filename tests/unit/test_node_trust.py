"""A site has one authority; a node's certificate carries all its names and is replaced when it must be."""

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.node import enrol, pki, trust
from services.runtime.errors import Problem

NAMES = pki.Names.of("main-a", ["198.18.0.10", "203.0.113.10", None])
SUB = pki.Names.of("sub-1", ["198.18.0.21"])


def test_a_certificate_carries_every_name_and_address(tmp_path: Path) -> None:
    trust.ensure_main(tmp_path, "City Hall", NAMES)
    carried = pki.names_in(x509.load_pem_x509_certificate((tmp_path / "node.pem").read_bytes()))
    assert carried.name == "main-a"
    assert set(carried.dns) == {"main-a", "main-a.node.dss", "localhost"}
    assert set(carried.addresses) == {"198.18.0.10", "203.0.113.10", "127.0.0.1"}


def test_keys_are_readable_for_root_alone(tmp_path: Path) -> None:
    trust.ensure_main(tmp_path, "City Hall", NAMES)
    assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.glob("*.key")} == {
        "ca.key": 0o600,
        "node.key": 0o600,
    }


def test_a_second_run_keeps_everything(tmp_path: Path) -> None:
    trust.ensure_main(tmp_path, "City Hall", NAMES)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    assert trust.ensure_main(tmp_path, "City Hall", NAMES).changes == []
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    assert trust.ensure_main(tmp_path / "pki", "City Hall", NAMES, check=True).changes
    assert not (tmp_path / "pki").exists()


def test_another_address_replaces_the_certificate_and_keeps_key_and_authority(tmp_path: Path) -> None:
    trust.ensure_main(tmp_path, "City Hall", NAMES)
    keys = {p: p.read_bytes() for p in tmp_path.iterdir() if p.name != "node.pem"}
    moved = pki.Names.of("main-a", ["198.18.0.99"])
    assert "addresses have changed" in trust.ensure_main(tmp_path, "City Hall", moved).changes[0]
    assert {p: p.read_bytes() for p in keys} == keys
    assert pki.Store(tmp_path).fault(moved) == ""


def test_a_certificate_near_its_end_is_replaced(tmp_path: Path) -> None:
    trust.ensure_main(tmp_path, "City Hall", NAMES)
    store = pki.Store(tmp_path)
    ca = store.ca()
    assert ca
    store.save_certificate(pki.sign(store.ca_key(), ca, store.key().public_key(), NAMES, days=29))
    assert "it ends on" in trust.ensure_main(tmp_path, "City Hall", NAMES).changes[0]


def test_a_lost_authority_key_is_told_and_no_second_authority_made(tmp_path: Path) -> None:
    trust.ensure_main(tmp_path, "City Hall", NAMES)
    ca = (tmp_path / "ca.pem").read_bytes()
    (tmp_path / "ca.key").unlink()
    with pytest.raises(Problem, match="cannot be signed"):
        trust.ensure_main(tmp_path, "City Hall", pki.Names.of("main-a", ["198.18.0.99"]))
    assert (tmp_path / "ca.pem").read_bytes() == ca


def test_no_certificate_outlives_its_authority_or_397_days() -> None:
    key, ca = pki.make_ca("City Hall")
    made = pki.sign(key, ca, pki.new_key().public_key(), NAMES, days=99999)
    assert made.not_valid_after_utc <= ca.not_valid_after_utc
    usual = pki.sign(key, ca, pki.new_key().public_key(), NAMES)
    assert usual.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=397)


@dataclass
class Main:
    """A main's join desk behind real TLS; `answer` replaces what it says to a POST."""

    key: ec.EllipticCurvePrivateKey
    ca: x509.Certificate
    port: int = 0
    answer: tuple[int, dict[str, Any]] | None = None
    shown: x509.Certificate | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def reply(self, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(body)
        if self.answer:
            return self.answer
        csr = x509.load_pem_x509_csr(body["csr"].encode())
        public = csr.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        made = pki.sign(self.key, self.ca, public, SUB)
        return 200, {"certificate": pki.pem(made).decode(), "ca": pki.pem(self.ca).decode()}

    @property
    def desk(self) -> enrol.Desk:
        return enrol.Desk("127.0.0.1", self.port, pki.fingerprint(self.ca))


@pytest.fixture
def main(tmp_path: Path) -> Iterator[Main]:
    key, ca = pki.make_ca("City Hall")
    one = Main(key, ca)
    own = pki.new_key()
    served = tmp_path / "served.pem"
    served.write_bytes(pki.pem(pki.sign(key, ca, own.public_key(), NAMES)) + pki.key_pem(own))

    class Desk(BaseHTTPRequestHandler):
        def tell(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.tell(200, {"ca": pki.pem(one.shown or one.ca).decode()})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.tell(*one.reply(body))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    one.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield one
    server.shutdown()
    server.server_close()


def test_a_node_joins_and_holds_a_certificate_of_the_site(main: Main, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    assert enrol.join(folder, main.desk, "token", SUB).changes
    assert pki.Store(folder).fault(SUB) == ""
    assert main.asked[0]["token"] == "token"
    assert "PRIVATE" not in json.dumps(main.asked)


def test_another_authority_is_never_sent_the_token(main: Main, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="another authority"):
        enrol.join(tmp_path / "pki", replace(main.desk, ca_fingerprint="sha256:00"), "token", SUB)
    assert main.asked == []


def test_a_borrowed_authority_certificate_does_not_help_a_false_main(main: Main, tmp_path: Path) -> None:
    _, real = pki.make_ca("City Hall")
    main.shown = real
    with pytest.raises(Problem, match="its certificate is not good"):
        enrol.join(tmp_path / "pki", replace(main.desk, ca_fingerprint=pki.fingerprint(real)), "token", SUB)
    assert main.asked == []


def test_what_main_says_about_a_token_reaches_the_user(main: Main, tmp_path: Path) -> None:
    main.answer = (403, {"code": "x", "what": "Not let in.", "why": "Too old.", "remedy": "Make a new one."})
    with pytest.raises(Problem, match=r"Not let in\. Too old\. Make a new one\."):
        enrol.join(tmp_path / "pki", main.desk, "token", SUB)
    assert not (tmp_path / "pki" / "node.pem").exists()


@pytest.mark.parametrize(
    "answer", [(200, {}), (200, {"certificate": "x"}), (500, {}), (200, {"certificate": "other"})]
)
def test_a_useless_answer_writes_nothing(
    main: Main, tmp_path: Path, answer: tuple[int, dict[str, Any]]
) -> None:
    if answer[1].get("certificate") == "other":
        stranger = pki.sign(main.key, main.ca, pki.new_key().public_key(), SUB)
        answer = (200, {"certificate": pki.pem(stranger).decode()})
    main.answer = answer
    with pytest.raises(Problem):
        enrol.join(tmp_path / "pki", main.desk, "token", SUB)
    assert not (tmp_path / "pki" / "node.pem").exists()
    assert not (tmp_path / "pki" / "ca.pem").exists()


def test_a_main_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be reached"):
        enrol.join(tmp_path / "pki", enrol.Desk("127.0.0.1", 1, "sha256:00"), "token", SUB)
