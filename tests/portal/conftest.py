"""A whole site behind the real portal: real MariaDB and Redis, real manifests and rendered node files.

Only the boundary to other machines is fed: beats are written into Redis as DSS_SMC writes them, and node
agents answer on loopback in the agent's own JSON, subs by mutual TLS.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
import requests
from playwright.sync_api import sync_playwright

from portal import create_app
from services import catalog, render, topology
from services.bundle import cache
from services.bundle.web import ensure_web
from services.node import pki
from services.runtime import clock
from services.smc import accounts, devices, nodes

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from playwright.sync_api import Browser, Page
    from werkzeug.test import TestResponse

    from tests.conftest import Platform

ROOT = Path(__file__).resolve().parents[2]
NAME, PASSWORD = "admin", "Correct.Horse7"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWERS = [accounts.Answer(f"Question {n}?", f"answer {n}") for n in (1, 2, 3)]
GB = 1024**3


@dataclass
class Agent:
    """One node as the portal meets it: its services, what it was told to do, and its rows of ports.json."""

    name: str
    services: list[dict[str, Any]]
    ports: list[dict[str, Any]]
    available: int = 6 * GB
    orders: list[tuple[str, str]] = field(default_factory=list)
    steps: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    beats: bool = True
    changes: list[dict[str, Any]] = field(default_factory=list)

    def beat(self) -> dict[str, Any]:
        """The agent's beat (interfaces.md section 4)."""
        wave = time.time() % 60
        return {
            "node": self.name, "role": "main" if self.name.startswith("main") else "sub", "version": "1.2.3",
            "at": clock.iso(clock.now()), "uptime": 183600 + wave, "cpu": 18 + wave / 10,
            "memory": {"total": 16 * GB, "available": self.available},
            "disk": {"total": 931 * GB, "free": 604 * GB},
            "network": {"rx_bps": 41_300_000 + wave * 1e5, "tx_bps": 62_900_000}, "services": self.services,
        }  # fmt: skip

    def order(self, service: str, verb: str) -> str:
        """Do what was ordered, at once; returns the task's id."""
        self.orders.append((service, verb))
        task = f"t{len(self.orders)}"
        self.steps[task] = []
        for one in self.services:
            if service in {one["id"], "all"}:
                one |= {"state": "Stopped" if verb == "stop" else "Running", "reason": ""}
                one["restarts"] += verb == "restart"
                self.steps[task].append({"service": one["id"], "state": "done", "message": ""})
        return task

    def change(self, parts: list[str], asked: dict[str, Any]) -> tuple[int, Any]:
        """Changes at run time: the first port is refused, any other waits for confirmation."""
        if parts == ["changes"] and asked:
            refused = 554 in asked.get("ports", {}).values()
            self.changes.insert(
                0, record(asked, "refused" if refused else "waiting", f"{len(self.changes):032x}")
            )
            return 202, {"id": self.changes[0]["id"]}
        if parts == ["changes"]:
            return 200, self.changes
        found = next((one for one in self.changes if one["id"] == parts[1]), None)
        if found and parts[2:]:
            found["state"] = {"confirm": "kept", "undo": "undone"}[parts[2]]
        return (200, found) if found else (404, {"code": "unknown", "what": "No such thing."})

    def answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and body of one request."""
        parts = path.partition("?")[0].strip("/").split("/")
        if method == "GET" and parts == ["services"]:
            return 200, self.services
        if method == "GET" and parts == ["ports"]:
            return 200, self.ports
        if method == "GET" and parts[0] == "logs":
            return 200, {
                "lines": [f"12:00:{n:02d} {parts[1]}: line {n} <b>of</b> the log" for n in range(50)]
            }
        if method == "GET" and parts[0] == "tasks" and parts[1] in self.steps:
            return 200, {"id": parts[1], "state": "done", "steps": self.steps[parts[1]]}
        if parts[0] == "changes":
            return self.change(parts, body or {})
        if method == "POST" and parts[0] == "services":
            return 202, {"task": self.order(parts[1], parts[2])}
        return 404, {"code": "unknown", "what": "No such thing.", "why": "", "remedy": ""}


def record(asked: dict[str, Any], state: str, id: str) -> dict[str, Any]:
    """A change as a node's agent shows it."""
    problem = {"code": "port-clash", "what": "The change was not made.",
               "why": "554/tcp belongs to DSS_X (rtsp).",
               "remedy": "Take another number.", "status": 409}  # fmt: skip
    return {
        "id": id, "request": asked, "by": "admin", "state": state, "began": time.time(),
        "ends": time.time() + 290, "healthy_after": 2.5, "before": {}, "after": {},
        "affected": {"units": {"dss-mts.service": "restart"}, "paths": ["/etc/dss/firewall.nft"]},
        "problem": problem if state == "refused" else None,
        "log": [{"at": time.time(), "text": f"It is {state}."}],
    }  # fmt: skip


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

        do_POST = do_GET  # noqa: N815 - the standard library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def service(id: str, state: str = "Running", reason: str = "", hours: float = 52.3) -> dict[str, Any]:
    """A service of a beat, with figures that fit its state."""
    runs = state in {"Running", "Starting", "Stopping"}
    size = {"mysql": 96, "mts": 71, "smc": 58, "dms": 52, "mq": 24, "nginx": 14, "redis": 11}.get(id, 40)
    since = clock.iso(datetime.now(UTC) - timedelta(hours=hours))
    return {
        "id": id, "state": state, "reason": reason, "since": since if runs else None,
        "cpu": size / 10 if runs else 0.0, "memory": size * 1024**2 if runs else 0,
        "fds": size // 2 if runs else 0, "restarts": 0,
    }  # fmt: skip


@dataclass
class Site:
    """A site of three nodes with two devices, and the account that may do everything."""

    platform: Platform
    agents: dict[str, Agent]
    account: accounts.Account
    stopped: threading.Event

    def tell(self) -> None:
        """Write the beats of all agents that beat, as DSS_SMC does."""
        with self.platform.redis.client() as redis:
            for agent in self.agents.values():
                if agent.beats:
                    redis.set(f"beat:{agent.name}", json.dumps(agent.beat()), px=30_000)

    def keep_telling(self) -> None:
        """Beat each second until the site ends."""
        while not self.stopped.wait(1):
            self.tell()

    def fact(self, device: str, state: str, reason: str = "", **info: str) -> None:
        """What a node says about a device."""
        at = clock.iso(clock.now() + timedelta(seconds=1))
        with self.platform.session() as session:
            fact = {"device": device, "state": state, "reason": reason, "at": at, "info": info}
            devices.apply_fact(session, fact)


def port_rows(files: dict[str, Any], silent: str = "") -> list[dict[str, Any]]:
    """Rows of a rendered ports.json with what listens; `silent` names the service that does not."""
    rows: list[dict[str, Any]] = json.loads(files["/etc/dss/ports.json"].text)
    for row in rows:
        built = row["direction"] == "in" and row["status"] == "built"
        row["listening"] = row["service"] != silent if built else False
    return rows


def rendered() -> tuple[Any, dict[str, dict[str, Any]]]:
    """The catalogue, and every node's rendered files of the example with two subs."""
    found, site = catalog.load(), topology.load(ROOT / "inventories" / "distributed", {})
    return found, {one.host.name: one.files for one in render.render_all(found, site)}


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


def serve(
    agent: Agent, address: str, port: int, prefix: str, tls: ssl.SSLContext | None
) -> ThreadingHTTPServer:
    """Answer for `agent` in a thread."""
    server = ThreadingHTTPServer((address, port), served(agent, prefix))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture
def site(platform: Platform, free_port: Callable[[], int]) -> Iterator[Site]:
    """Main, an enabled sub, a sub that waits; one camera online, one with a wrong password."""
    _, files = rendered()
    etc = platform.files.etc
    platform.files.node(site="City Hall")
    for name in ("catalog.json", "ports.json"):
        (etc / name).write_text(files["main-a"][f"/etc/dss/{name}"].text)
    agent_port, tls_port = free_port(), free_port()
    smc = json.loads((etc / "services" / "smc.json").read_text())
    platform.files.service("smc", smc["ports"] | {"http": agent_port, "portal": free_port()}, smc["settings"])
    platform.files.service("nginx", {"https": tls_port, "http": 80})
    platform.files.service("mts", {name: free_port() for name in ("http", "rtsp", "rtsps")})
    tls = certificates(etc / "pki", platform.files.credentials)
    main = Agent("main-a", [service(i) for i in ("nginx", "mysql", "redis", "mq", "smc", "dms", "mts")],
                 port_rows(files["main-a"]))  # fmt: skip
    sub = Agent(
        "sub-1", [service(i) for i in ("nginx", "mq", "smc", "dms")], port_rows(files["sub-1"], "mts")
    )
    sub.services.append(service("mts", "Unavailable", "Exit code 1, restarted 3 times in a minute."))
    sub.changes.append(record({"ports": {"mts.rtsp": 19100}}, "undone", "f" * 32))
    servers = [
        serve(main, "127.0.0.1", agent_port, "", None),
        serve(sub, "127.0.0.21", tls_port, "/cluster/smc", tls("sub-1")),
    ]
    yield from _running(
        Site(platform, {"main-a": main, "sub-1": sub}, _populate(platform), threading.Event())
    )
    for server in servers:
        server.shutdown()
        server.server_close()


def _populate(platform: Platform) -> accounts.Account:
    with platform.session() as session:
        account = accounts.initialise(session, NAME, PASSWORD, ANSWERS, "127.0.0.1")
        nodes.register(session, "main-a", "main", "127.0.0.1", None, "1.2.3")
        nodes.register(session, "sub-1", "sub", "127.0.0.21", "203.0.113.21", "1.2.3")
        nodes.register(session, "sub-2", "sub", "127.0.0.22", None, "1.2.3")
        nodes.enable(session, "sub-1", account)
        gate = devices.add(
            session, devices.NewDahua("Gate east", "main-a", "198.18.0.101", "admin", "x"), account
        )
        yard = devices.add(
            session, devices.NewRtsp("Yard", "sub-1", "rtsp://198.18.0.102/live", "a", "b"), account
        )
    one = Site(platform, {}, account, threading.Event())
    one.fact(gate.id, "online", model="Simulated camera", serial="SIM0001")
    one.fact(yard.id, "refused", "Digest authentication failed (401).")
    return account


def _running(site: Site) -> Iterator[Site]:
    site.tell()
    beating = threading.Thread(target=site.keep_telling, daemon=True)
    beating.start()
    yield site
    site.stopped.set()
    beating.join(5)


def configuration(**more: object) -> dict[str, object]:
    """What the tests tell the application."""
    return {
        "TESTING": True,
        "SECRET": "test-secret",
        "VERSION": "1.2.3",
        "SITE": "City Hall",
        "NODE": "main-a",
    } | more


@dataclass
class Visitor:
    """A browser without scripts: keeps cookies, finds the token of a page and sends it with a form."""

    client: FlaskClient

    def get(self, path: str, **headers: str) -> TestResponse:
        """Open a page."""
        return self.client.get(path, base_url="https://127.0.0.1", headers=_names(headers))

    def token(self, path: str) -> str:
        """The form token of a page."""
        text: str = self.get(path).get_data(as_text=True)
        return text.split('name="csrf" value="')[1].split('"')[0]

    def post(
        self, path: str, form: dict[str, str] | None = None, page: str = "/", **headers: str
    ) -> TestResponse:
        """Send a form with the token of `page`."""
        data = {"csrf": self.token(page)} | (form or {})
        return self.client.post(path, data=data, base_url="https://127.0.0.1", headers=_names(headers))

    def login(self, name: str = NAME, password: str = PASSWORD) -> TestResponse:
        """Log in by the form."""
        return self.post("/login", {"name": name, "password": password}, "/login")


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def stranger(site: Site) -> Visitor:
    """Somebody who is not logged in, at an initialised site."""
    return Visitor(create_app(configuration()).test_client())


@pytest.fixture
def admin(stranger: Visitor) -> Visitor:
    """The administrator, logged in."""
    assert stranger.login().status_code == 303
    return stranger


@pytest.fixture
def first_visitor(platform: Platform) -> Visitor:
    """Somebody at a platform that nobody initialised."""
    return Visitor(create_app(configuration()).test_client())


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; types {{ text/css css; text/javascript js; image/svg+xml svg; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pki}/node.pem; ssl_certificate_key {key};
    location /assets/ {{ alias {assets}/; }}
    location /mts/ {{
      proxy_pass http://127.0.0.1:{mts}/; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
    location / {{
      proxy_pass http://127.0.0.1:{portal}; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}
}}
"""


@dataclass
class Portal:
    """The portal as it runs on a node: gunicorn by its own configuration behind nginx with the web assets."""

    url: str
    ca: Path
    gunicorn: subprocess.Popen[bytes]
    site: Site
    log: Path


@pytest.fixture
def portal(site: Site, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Portal]:
    """gunicorn and nginx on loopback."""
    etc = site.platform.files.etc
    ports = {
        name: json.loads((etc / "services" / f"{name}.json").read_text())["ports"] for name in ("smc", "mts")
    }
    port = free_port()
    settings = {"folder": tmp_path, "port": port, "pki": etc / "pki", "assets": ensure_web(),
                "key": site.platform.files.credentials / "node.key", "portal": ports["smc"]["portal"],
                "mts": ports["mts"]["http"]}  # fmt: skip
    (tmp_path / "nginx.conf").write_text(NGINX.format(**settings))
    log = tmp_path / "portal.log"
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:portal.gunicorn", "portal.wsgi:app"]
    with (
        log.open("wb") as out,
        started(gunicorn, out) as process,
        started(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], out),
    ):
        made = Portal(f"https://127.0.0.1:{port}", etc / "pki" / "ca.pem", process, site, log)
        _wait(made)
        yield made


@contextmanager
def started(words: list[str], out: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block."""
    process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _wait(portal: Portal) -> None:
    for _ in range(200):
        assert portal.gunicorn.poll() is None, portal.log.read_text()
        with suppress(requests.ConnectionError):
            if requests.get(f"{portal.url}/health", verify=portal.ca, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"the portal did not start:\n{portal.log.read_text()}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def log_in() -> Callable[[Page, str], None]:
    """Logs in as a person does."""

    def by_form(page: Page, url: str) -> None:
        page.goto(f"{url}/login")
        page.get_by_label("Account").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{url}/")

    return by_form


AXE = Path(__file__).parent / "axe"
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}"


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, fetched by npm as the lock file says."""

    def fetch(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(AXE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True,
                       capture_output=True)  # fmt: skip

    key = cache.key_of((AXE / "package-lock.json").read_text())
    place = cache.part(cache.folder() / "axe", key, fetch)
    return (place / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def findings(axe: str) -> Callable[[Page], list[str]]:
    """What axe-core finds on a page, one line per element."""

    def find(page: Page) -> list[str]:
        page.evaluate(axe)
        found = page.evaluate(f"axe.run(document, {RULES})")
        return [
            f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return find
