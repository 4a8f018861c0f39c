"""A node's files as deployment writes them, in a temporary folder, and the real engines behind them."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import URL, create_engine
from sqlalchemy.orm import Session

from services.node.database import RIGHTS
from services.smc import cache, migrations, models, store
from tests import browser, ports

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NODE: dict[str, Any] = {
    "version": "1.2.3",
    "site": "Test",
    "name": "main-a",
    "role": "main",
    "address": "127.0.0.1",
    "mapping_ip": None,
    "install_path": "/srv/dss",
    "center": None,
}


@dataclass
class NodeFiles:
    """Folder by folder what `DSS_ETC`, `DSS_RUN`, the credentials and the state directory point to."""

    etc: Path
    run: Path
    credentials: Path
    state: Path

    def node(self, **changed: object) -> None:
        (self.etc / "node.json").write_text(json.dumps(NODE | changed))

    def service(self, id: str, ports: dict[str, int], settings: dict[str, Any] | None = None) -> None:
        data = {"id": id, "code": f"DSS_{id.upper()}", "ports": ports, "settings": settings or {}}
        (self.etc / "services" / f"{id}.json").write_text(json.dumps(data))

    def setting(self, id: str, **changed: object) -> None:
        """Change settings of a service that is there."""
        path = self.etc / "services" / f"{id}.json"
        data = json.loads(path.read_text())
        path.write_text(json.dumps(data | {"settings": data["settings"] | changed}))

    def credential(self, name: str, value: str) -> None:
        (self.credentials / name).write_text(value + "\n")

    def environment(self) -> dict[str, str]:
        return {
            "DSS_ETC": str(self.etc),
            "DSS_RUN": str(self.run),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "STATE_DIRECTORY": str(self.state),
            # As the units set it: what a process weighs depends on it.
            "PYTHONOPTIMIZE": "2",
        }


@pytest.fixture
def node_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeFiles:
    """The files of a main node, which this process and its children then use as their own."""
    files = NodeFiles(*(tmp_path / name for name in ("etc", "run", "credentials", "state")))
    for folder in (files.etc / "services", files.etc / "pki", files.run, files.credentials, files.state):
        folder.mkdir(parents=True)
    files.node()
    files.credential("node-token", "node-secret")
    for name, value in files.environment().items():
        monkeypatch.setenv(name, value)
    return files


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Finds a TCP port of loopback on which nobody listens."""

    return ports.free_port


@dataclass
class MariaDb:
    """A throw-away server with the product's durability settings; `url` opens database `dss` as root."""

    port: int
    socket: Path
    words: list[str]
    process: "subprocess.Popen[bytes]"

    def crash(self) -> None:
        """Kill it as a fault would, with all it has not made durable, and start it on the same data."""
        self.process.kill()
        self.process.wait(10)
        self.process = start(self.words)
        wait_for("MariaDB", self.probe)

    @property
    def url(self) -> URL:
        query = {"unix_socket": str(self.socket), "charset": "utf8mb4"}
        return URL.create("mysql+pymysql", username="root", database="dss", query=query)

    def probe(self) -> None:
        """Raise OSError until someone listens (a failed connect of PyMySQL would leave its socket open)."""
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.socket))

    def execute(self, *statements: str) -> None:
        with pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True) as connection:
            for statement in statements:
                connection.cursor().execute(statement)


@dataclass(frozen=True)
class RedisServer:
    """A throw-away server that knows one user, `dss`."""

    port: int
    password: str
    process: "subprocess.Popen[bytes]"

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, username="dss", password=self.password, decode_responses=True)


@dataclass(frozen=True)
class Platform:
    """A main node's files with an empty, migrated database and an empty Redis behind them."""

    files: NodeFiles
    mariadb: MariaDb
    redis: RedisServer

    def session(self) -> AbstractContextManager[Session]:
        """A session as services of the node get it."""
        return store.session()


def wait_for(what: str, ready: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as `ready()` raises nothing."""
    until = time.monotonic() + seconds
    while True:
        try:
            ready()
            return
        except (pymysql.MySQLError, redis.RedisError, OSError) as error:
            if time.monotonic() > until:
                raise RuntimeError(f"{what} did not start within {seconds} s: {error}") from error
            time.sleep(0.05)


def start(words: list[str]) -> "subprocess.Popen[bytes]":
    """A server process; a missing program is told clearly, never skipped silently."""
    if not shutil.which(words[0]):
        pytest.fail(f"{words[0]} is not installed: apt-get install mariadb-server redis-server")
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a server that this run started."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """MariaDB as the product sets it up, in a folder of its own."""
    # Not pytest's folder: the path of a socket may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="dss-db-") as name:
        folder, port = Path(name), ports.free_port()
        data, at = folder / "data", folder / "s"
        user = ["--user=root"] if os.geteuid() == 0 else []
        make = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *user,
                "--auth-root-authentication-method=normal"]  # fmt: skip
        subprocess.run(make, check=True, capture_output=True)
        words = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={at}", f"--port={port}",
                 "--bind-address=127.0.0.1", "--skip-name-resolve", "--log-bin", "--sync-binlog=1",
                 "--innodb-flush-log-at-trx-commit=1", "--innodb-snapshot-isolation=ON",
                 "--innodb-buffer-pool-size=64M", "--character-set-server=utf8mb4", *user]  # fmt: skip
        server = MariaDb(port, at, words, start(words))
        try:
            wait_for("MariaDB", server.probe)
            yield server
        finally:
            stop(server.process)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Redis with one user, nothing on disk."""
    port, password = ports.free_port(), "redis-secret"
    users = ["--user", "default", "off", "--user", "dss", "on", f">{password}", "~*", "&*", "+@all"]
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", *users]
    server = RedisServer(port, password, start(words))
    try:
        with server.client() as client:
            wait_for("Redis", client.ping)
        yield server
    finally:
        stop(server.process)


@pytest.fixture(scope="session")
def migrated(mariadb: MariaDb) -> MariaDb:
    """The server with database `dss` at the newest revision and the service's user."""
    rights = f"GRANT {RIGHTS} ON dss.*"
    mariadb.execute(
        "CREATE DATABASE dss CHARACTER SET utf8mb4",
        "CREATE USER 'dss-smc'@'127.0.0.1' IDENTIFIED BY 'db-secret'",
        f"{rights} TO 'dss-smc'@'127.0.0.1'",
    )
    engine = create_engine(mariadb.url)
    migrations.upgrade(engine)
    engine.dispose()
    return mariadb


@pytest.fixture
def platform(node_files: NodeFiles, migrated: MariaDb, redis_server: RedisServer) -> Iterator[Platform]:
    """Main's database and Redis, empty, reached as a service of main reaches them."""
    tables = sorted(table.name for table in models.Base.metadata.sorted_tables)
    migrated.execute(
        "USE dss", "SET foreign_key_checks=0", *(f"TRUNCATE TABLE {name}" for name in tables),
        "INSERT INTO audit_head VALUES (1, 0, REPEAT('0', 64))",
    )  # fmt: skip
    with redis_server.client() as client:
        client.flushall()
    main_files(node_files, migrated, redis_server)
    store.forget()
    cache.forget()
    yield Platform(node_files, migrated, redis_server)
    store.forget()
    cache.forget()


def main_files(files: NodeFiles, mariadb: MariaDb, redis_server: RedisServer) -> None:
    """What deployment writes for the services of main, with this run's ports and secrets."""
    database = {"host": "127.0.0.1", "port": mariadb.port, "name": "dss", "user": "dss-smc"}
    cached = {"host": "127.0.0.1", "port": redis_server.port, "user": "dss"}
    files.service("smc", {"http": ports.free_port(), "portal": 9001}, {"database": database, "redis": cached})
    files.service("mts", {"http": 9101, "rtsp": 9100, "rtsps": 9102, "webrtc": 9103})
    files.service("dms", {"http": 9200})
    files.service("ss", {"http": 9321, "rtsp": 9320, "rtsps": 9322})
    files.service("nginx", {"https": 443, "http": 80})
    (files.etc / "catalog.json").write_text("[]")
    (files.etc / "ports.json").write_text("[]")
    files.credential("db-smc", "db-secret")
    files.credential("redis", redis_server.password)
    files.credential("session-key", "5e" * 32)
    files.credential("site-key", "ab" * 32)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    files.credential("media-key", pem)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """Debian's Chromium."""
    # Only some kinds of tests have it. Not for the whole session: while it is open, its event loop is this
    # thread's, and asynchronous tests cannot run.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player, player.chromium.launch(**browser.LAUNCH) as started:
        yield started
