"""DSS_NGINX as rendered, really running, with a service behind it that tells what reached it."""

import http.client
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from services import topology
from services.catalog import Catalog
from services.render import render

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "the-node-token"


class Echo(BaseHTTPRequestHandler):
    """Answers with its own port, the path and the headers it was given."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = {
            "port": self.server.server_address[1],
            "path": self.path,
            "headers": dict(self.headers.items()),
        }
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.path.startswith("/route/"):
            self.send_header("X-Node-Address", f"127.0.0.1:{self.server.https}")  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Gateway:
    """A running DSS_NGINX."""

    https: int
    ports: dict[str, int]
    pki: Path
    old: int

    def get(
        self, path: str, node: bool = False, **headers: str
    ) -> tuple[int, dict[str, object], dict[str, str]]:
        """(status, what the service saw, headers of the answer); `node`: with the node's certificate."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.pem"))
        if node:
            context.load_cert_chain(self.pki / "node.pem", self.pki / "node.key")
        connection = http.client.HTTPSConnection("localhost", self.https, context=context, timeout=10)
        connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        seen = json.loads(body) if body.startswith(b"{") else {}
        return answer.status, seen, dict(answer.getheaders())


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA and the certificate of main-a, with the names that a node certificate has."""
    folder = tmp_path_factory.mktemp("ca")
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = "subjectAltName=DNS:main-a,DNS:main-a.node.dss,DNS:localhost,IP:127.0.0.1"
    for line in (
        f"req -x509 {curve} -keyout ca.key -out ca.pem -subj /CN=site -addext keyUsage=critical,keyCertSign",
        f"req {curve} -keyout node.key -out node.csr -subj /O=site/CN=main-a -addext {names}",
        "x509 -req -in node.csr -CA ca.pem -CAkey ca.key -out node.pem -copy_extensions copy -days 2",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def gateway(catalog: Catalog, pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it is by default."""
    yield from started(catalog, pki, tmp_path_factory, {})


@pytest.fixture(scope="module")
def old_gateway(catalog: Catalog, pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with TLS 1.0 switched on."""
    yield from started(catalog, pki, tmp_path_factory, {"dss_tls10": True})


def started(
    catalog: Catalog,
    pki: Path,
    tmp_path_factory: pytest.TempPathFactory,
    more: dict[str, object],
    overrides: dict[str, object] | None = None,
) -> Iterator[Gateway]:
    """nginx with the configuration of a standalone main; `overrides` are what was changed at run time."""
    folder = tmp_path_factory.mktemp("gateway")
    folder.chmod(0o755)
    https, plain, old = free_ports()
    with echoes(https) as ports:
        own = ports | {"nginx.https": https, "nginx.http": plain, "nginx.tls10": old}
        configure(folder, pki, catalog, {"dss_ports": own, **more}, overrides)
        process = subprocess.Popen(["nginx", "-c", folder / "engines/nginx.conf", "-g", "daemon off;"])
        try:
            found = Gateway(https, ports, pki, old)
            _wait(found)
            yield found
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(folder)


def free_ports() -> tuple[int, int, int]:
    """Three ports of loopback on which nobody listens."""
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Echo) as one,
        ThreadingHTTPServer(("127.0.0.1", 0), Echo) as two,
        ThreadingHTTPServer(("127.0.0.1", 0), Echo) as three,
    ):
        return one.server_port, two.server_port, three.server_port


@contextmanager
def echoes(https: int) -> Iterator[dict[str, int]]:
    """The services behind the gateway, which listens on `https`; their ports by name."""
    servers = {
        key: ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        for key in ("smc.http", "smc.portal", "dms.http", "mts.http")
    }
    for server in servers.values():
        server.https = https  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {key: server.server_port for key, server in servers.items()}
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


def configure(
    folder: Path,
    pki: Path,
    catalog: Catalog,
    settings: dict[str, object],
    overrides: dict[str, object] | None = None,
) -> None:
    """The rendered configuration of the engines, moved from a node's paths to `folder` and `pki`."""
    site = topology.load(ROOT / "inventories/standalone", settings, catalog)
    moved = {"/etc/dss/pki": str(pki), "/etc/dss": str(folder), "/run/nginx.pid": f"{folder}/nginx.pid",
             "@@credential:node-token@@": TOKEN}  # fmt: skip
    for path, file in render(catalog, site, "main-a", overrides).items():
        if path.startswith("/etc/dss/engines/"):
            text = file.text
            for old, new in moved.items():
                text = text.replace(old, new)
            place = folder / path.removeprefix("/etc/dss/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)


def _wait(gateway: Gateway) -> None:
    for _ in range(100):
        try:
            gateway.get("/health/nginx")
            return
        except ConnectionError:
            threading.Event().wait(0.05)
    raise AssertionError("nginx did not start")


def headers_of(seen: dict[str, object]) -> dict[str, str]:
    """Headers as the service saw them, in lower case."""
    found = seen["headers"]
    assert isinstance(found, dict)
    return {str(k).lower(): str(v) for k, v in found.items()}


@pytest.mark.parametrize(
    ("path", "port", "arrives_as"),
    [
        ("/", "smc.portal", "/"),
        ("/devices?page=2", "smc.portal", "/devices?page=2"),
        ("/api/v1/status", "smc.portal", "/api/v1/status"),
        ("/login", "smc.portal", "/login"),
        ("/join", "smc.http", "/join"),
        ("/mts/live/7/main?token=x", "mts.http", "/live/7/main?token=x"),
    ],
)
def test_each_path_reaches_its_service(gateway: Gateway, path: str, port: str, arrives_as: str) -> None:
    status, seen, _ = gateway.get(path)
    assert (status, seen["port"], seen["path"]) == (200, gateway.ports[port], arrives_as)


def test_a_caller_cannot_pretend_to_be_a_node(gateway: Gateway) -> None:
    for path in ("/", "/api/v1/nodes", "/join", "/mts/live/7/main"):
        _, seen, _ = gateway.get(
            path, X_DSS_Node="main-a", Authorization="Bearer stolen", X_Forwarded_For="1.2.3.4"
        )
        headers = headers_of(seen)
        assert "x-dss-node" not in headers, path
        assert headers.get("authorization") == ("Bearer stolen" if path.startswith("/api/") else None), path
        assert headers["x-forwarded-for"] == "127.0.0.1"


def test_nodes_alone_reach_the_cluster_paths(gateway: Gateway) -> None:
    for path in (
        "/cluster/dms/channels",
        "/cluster/portal/assignment",
        "/cluster/assignment",
        "/cluster/smc/services",
    ):
        assert gateway.get(path)[0] == 403, path
    status, seen, _ = gateway.get(
        "/cluster/dms/channels", node=True, X_DSS_Node="other", Authorization="Bearer bad"
    )
    headers = headers_of(seen)
    assert (status, seen["port"], seen["path"]) == (200, gateway.ports["dms.http"], "/channels")
    assert (headers["x-dss-node"], headers["authorization"]) == ("main-a", f"Bearer {TOKEN}")
    _, seen, _ = gateway.get("/cluster/portal/assignment", node=True)
    assert (seen["port"], seen["path"]) == (gateway.ports["smc.portal"], "/cluster/assignment")


def test_a_certificate_of_another_authority_is_refused(gateway: Gateway, certificates: Path) -> None:
    context = ssl.create_default_context(cafile=str(gateway.pki / "ca.pem"))
    context.load_cert_chain(certificates / "node.pem", certificates / "node.key")
    connection = http.client.HTTPSConnection("localhost", gateway.https, context=context, timeout=10)
    connection.request("GET", "/cluster/dms/channels")
    assert connection.getresponse().status == 400
    connection.close()


def test_media_of_another_node_is_fetched_from_where_that_node_is(gateway: Gateway) -> None:
    status, seen, _ = gateway.get("/nodes/main-a/mts/live/7/main?token=x", Cookie="session=secret")
    assert (status, seen["port"], seen["path"]) == (200, gateway.ports["mts.http"], "/live/7/main?token=x")
    assert "cookie" not in headers_of(seen)


def test_a_node_that_shows_another_name_is_not_believed(gateway: Gateway) -> None:
    assert gateway.get("/nodes/sub-1/mts/live/7/main?token=x")[0] == 502


def test_health_is_for_the_node_and_for_other_nodes(gateway: Gateway) -> None:
    status, seen, _ = gateway.get("/health/dms")
    assert (status, seen["port"], seen["path"]) == (200, gateway.ports["dms.http"], "/health")
    assert gateway.get("/health/nothing")[0] == 404


def test_answers_carry_hsts_and_no_version(gateway: Gateway) -> None:
    for path in ("/", "/assets/nothing.css", "/cluster/dms/channels"):
        _, _, headers = gateway.get(path)
        assert headers["Strict-Transport-Security"] == "max-age=63072000", path
        assert headers["Server"] == "nginx", path


def test_old_tls_is_refused_and_http2_is_offered(gateway: Gateway) -> None:
    def handshake(*words: str) -> str:
        command = ["openssl", "s_client", "-connect", f"localhost:{gateway.https}", *words]
        done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=10)
        return done.stdout.decode(errors="replace")

    for version in ("-tls1", "-tls1_1"):
        assert "Cipher is (NONE)" in handshake(version, "-cipher", "ALL@SECLEVEL=0")
    for version in ("-tls1_2", "-tls1_3"):
        assert "ALPN protocol: h2" in handshake(version, "-alpn", "h2")


def test_guessing_at_the_login_is_slowed_down(gateway: Gateway) -> None:
    answers = [gateway.get("/login")[0] for _ in range(60)]
    assert answers[0] == 200
    assert 429 in answers


VERSIONS = ("tls1", "tls1_1", "tls1_2", "tls1_3")


def handshakes(pki: Path, port: int) -> dict[str, bool]:
    """Which versions a port accepts from a client that is willing to speak any of them."""
    found = {}
    for version in VERSIONS:
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", pki / "ca.pem"]
        words += ["-verify_return_error", f"-{version}", "-cipher", "ALL:@SECLEVEL=0"]
        done = subprocess.run(words, input=b"", capture_output=True, check=False, timeout=20)
        found[version] = done.returncode == 0 and b"Verify return code: 0 (ok)" in done.stdout
    return found


MODERN = {"tls1": False, "tls1_1": False, "tls1_2": True, "tls1_3": True}


def test_only_new_versions_are_spoken_by_default(gateway: Gateway, pki: Path) -> None:
    assert handshakes(pki, gateway.https) == MODERN
    assert handshakes(pki, gateway.old) == dict.fromkeys(VERSIONS, False)


def test_old_versions_are_spoken_on_their_own_port_when_switched_on(old_gateway: Gateway, pki: Path) -> None:
    assert handshakes(pki, old_gateway.old) == dict.fromkeys(VERSIONS, True)
    assert handshakes(pki, old_gateway.https) == MODERN


def test_weak_ciphers_are_refused_on_both_ports(old_gateway: Gateway) -> None:
    for port in (old_gateway.https, old_gateway.old):
        for cipher in ("NULL", "RC4", "3DES", "aNULL", "EXPORT", "AES128-SHA"):
            words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"]
            words += ["-cipher", f"{cipher}:@SECLEVEL=0"]
            done = subprocess.run(words, input=b"", capture_output=True, check=False, timeout=20)
            assert done.returncode != 0, (port, cipher)


def test_the_old_port_carries_pages_and_no_calls_of_nodes(old_gateway: Gateway) -> None:
    through = Gateway(old_gateway.old, old_gateway.ports, old_gateway.pki, old_gateway.old)
    assert through.get("/devices")[0] == 200
    assert through.get("/cluster/dms/channels", node=True)[0] == 403
