"""What the engines themselves say about their rendered configuration."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis as redis_client

from services.catalog import Catalog
from services.render import File, render
from services.smc.agent import links
from services.topology import Topology

Render = Callable[[str, str], dict[str, File]]
SECRET = "a-secret-of-the-test"
NATS = Path(sys.executable).with_name("nats-server")
# A network of its own; a user who is not root becomes root of that network only.
ALONE = ("unshare", "--net", *(["--map-root-user"] if os.geteuid() else []))


def placed(text: str, folder: Path, certificates: Path) -> str:
    """Configuration text with its paths moved into a folder of the test."""
    for there, here in (
        ("/etc/dss/pki", certificates),
        ("/run/credentials/nats-server.service", certificates),
        ("/run/credentials/mariadb.service", certificates),
        ("/etc/dss", folder),
        ("/srv/dss", folder),
        ("/var/lib/redis", folder),
        ("/run/nginx.pid", folder / "nginx.pid"),
    ):
        text = text.replace(str(there), str(here))
    return re.sub("@@credential:[a-z-]+@@", SECRET, text)


def passes(*command: str | Path) -> str:
    """Run a checker; what it says on failure, else nothing."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_nginx_accepts_the_gateway_of_every_node(
    inventory: str, catalog: Catalog, site: Callable[[str], Topology], tmp_path: Path, certificates: Path
) -> None:
    for host in site(inventory).nodes:
        files = render(catalog, site(inventory), host)
        for path, file in files.items():
            if path.startswith("/etc/dss/engines/"):
                place = tmp_path / path.removeprefix("/etc/dss/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(placed(file.text, tmp_path, certificates))
        assert passes(*ALONE, "nginx", "-t", "-q", "-c", tmp_path / "engines/nginx.conf") == ""


def test_nats_accepts_the_messages_of_every_node(
    inventory: str, catalog: Catalog, site: Callable[[str], Topology], tmp_path: Path, certificates: Path
) -> None:
    for host in site(inventory).nodes:
        text = render(catalog, site(inventory), host)["/etc/dss/engines/nats.conf"].text
        # A main includes what its agent has written: whom it lets in.
        (tmp_path / "nodes.conf").write_text(links.text({"sub-1": True, "sub-2": False}, SECRET))
        text = text.replace("../../../var/lib/dss/mq/", "")
        (tmp_path / "nats.conf").write_text(placed(text, tmp_path, certificates))
        assert passes(NATS, "-t", "-c", tmp_path / "nats.conf") == ""


def test_nftables_loads_the_rules_of_every_node_twice(
    inventory: str, catalog: Catalog, site: Callable[[str], Topology], tmp_path: Path
) -> None:
    for host in site(inventory).nodes:
        rules = tmp_path / f"{host.name}.nft"
        rules.write_text(render(catalog, site(inventory), host)["/etc/dss/firewall.nft"].text)
        twice = f"nft -c -f {rules} && nft -f {rules} && nft -f {rules}"
        assert passes(*ALONE, "sh", "-c", twice) == ""


def test_mariadb_knows_every_setting(rendered: Render, tmp_path: Path, certificates: Path) -> None:
    text = rendered("standalone", "main-a")["/etc/mysql/mariadb.conf.d/90-dss.cnf"].text
    (tmp_path / "my.cnf").write_text(placed(text, tmp_path, certificates))
    (tmp_path / "mysql").mkdir()
    command = ["mariadbd", f"--defaults-file={tmp_path}/my.cnf", "--user=root", "--verbose", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    values = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if len(line.split()) > 1)
    assert {
        k: values[k] for k in ("sync-binlog", "innodb-flush-log-at-trx-commit", "innodb-snapshot-isolation")
    } == {
        "sync-binlog": "1",
        "innodb-flush-log-at-trx-commit": "1",
        "innodb-snapshot-isolation": "TRUE",
    }


@pytest.fixture
def redis_port(
    rendered: Render, tmp_path: Path, certificates: Path, free_port: Callable[[], int]
) -> Iterator[int]:
    text = rendered("standalone", "main-a")["/etc/dss/engines/redis.conf"].text
    (tmp_path / "redis.conf").write_text(placed(text, tmp_path, certificates))
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", tmp_path / "redis.conf", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    yield port
    server.terminate()
    server.wait(10)


def answered(port: int, **who: str) -> redis_client.Redis:
    """A client of the started Redis, once it listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            client = redis_client.Redis(port=port, **who)
            client.ping()
        except redis_client.ConnectionError as error:
            if isinstance(error, redis_client.AuthenticationError) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return client


def test_redis_lets_in_the_one_user_and_lets_nobody_do_damage(redis_port: int) -> None:
    client = answered(redis_port, username="dss", password=SECRET)
    assert client.set("beat:sub-1", "{}", ex=30)
    with pytest.raises(redis_client.exceptions.NoPermissionError):
        client.config_set("dir", "/srv")
    with pytest.raises(redis_client.AuthenticationError):
        redis_client.Redis(port=redis_port).ping()
    client.close()
