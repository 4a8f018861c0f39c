"""An imported certificate is shown to whoever names it, and never to a node."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.catalog import Catalog
from tests.render.test_gateway import Gateway, pki, started

__all__ = ["pki"]
PRINT = "f" * 64
NAMES = ["portal.city.example", "*.cams.city.example", "main-a", "main-a.node.dss", "localhost"]


@pytest.fixture(scope="module")
def gateway(
    catalog: Catalog,
    pki: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """A gateway with a customer's certificate, which claims names of the node, too."""
    pair = f"-keyout portal-{PRINT}.key -out portal-{PRINT}.pem"
    line = f"req -x509 -newkey rsa:2048 -nodes -days 2 {pair} -subj /CN=customer"
    subprocess.run(["openssl", *line.split()], cwd=pki, check=True, capture_output=True)
    imported = {"portal_certificate": {"fingerprint": PRINT, "names": NAMES}}
    yield from started(catalog, pki, tmp_path_factory, {"dss_tls10": True}, imported)


def shown(gateway: Gateway, name: str | None) -> str:
    """The subject that openssl reads in the certificate for a name; None sends no name."""
    sni = ["-servername", name] if name else ["-noservername"]
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.https}", *sni]
    done = subprocess.run(words, input="", capture_output=True, text=True, check=False, timeout=10)
    return next(line for line in done.stdout.splitlines() if line.startswith("subject="))


@pytest.mark.parametrize("name", ["portal.city.example", "gate.cams.city.example"])
def test_whoever_names_the_portal_gets_the_customers_certificate(gateway: Gateway, name: str) -> None:
    assert "customer" in shown(gateway, name)


@pytest.mark.parametrize("name", [None, "main-a", "main-a.node.dss", "localhost", "other.example"])
def test_addresses_nodes_and_strangers_get_the_sites_own(gateway: Gateway, name: str | None) -> None:
    assert "main-a" in shown(gateway, name)


def test_the_portal_answers_under_its_name_and_lets_no_node_in_there(gateway: Gateway) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(gateway.pki / "node.pem", gateway.pki / "node.key")
    for path, status in (("/login", b"200"), ("/cluster/dms/channels", b"403")):
        raw = socket.create_connection(("127.0.0.1", gateway.https), timeout=10)
        with context.wrap_socket(raw, server_hostname="portal.city.example") as secure:
            host = b"Host: portal.city.example\r\nConnection: close\r\n\r\n"
            secure.sendall(f"GET {path} HTTP/1.1\r\n".encode() + host)
            assert secure.recv(64).split()[1] == status
    assert gateway.get("/cluster/dms/channels", node=True)[0] == 200
