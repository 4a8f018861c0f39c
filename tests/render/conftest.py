"""Sites to render, and a folder that looks like a node's file system to the engines' own checkers."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services import catalog as catalog_module
from services import topology as topology_module
from services.catalog import Catalog
from services.render import File, render
from services.topology import Topology

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
INVENTORIES = sorted(p.name for p in (ROOT / "inventories").iterdir() if p.is_dir())
DEBIAN_UNITS = Path("/lib/systemd/system")
PROGRAMS = (
    "/bin/kill",
    "/bin/sh",
    "/lib/systemd/systemd-journald",
    "/lib/systemd/systemd-sysctl",
    "/opt/dss/current/venv/bin/gunicorn",
    "/opt/dss/current/venv/bin/python",
    "/sbin/start-stop-daemon",
    "/usr/bin/dbus-daemon",
    "/usr/bin/redis-server",
    "/usr/sbin/ip",
    "/usr/sbin/mariadbd",
    "/usr/sbin/nats-server",
    "/usr/sbin/nft",
    "/usr/sbin/nginx",
    "/usr/sbin/sysctl",
)
"""What the units of a node start, ours and Debian's."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/render/golden anew")


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return catalog_module.load()


@pytest.fixture(scope="session")
def site(catalog: Catalog) -> Callable[[str], Topology]:
    """Load one of the example inventories by name."""
    return lambda name: topology_module.load(ROOT / "inventories" / name, catalog=catalog)


@pytest.fixture(params=INVENTORIES)
def inventory(request: pytest.FixtureRequest) -> str:
    """Each example inventory in turn."""
    return str(request.param)


Render = Callable[[str, str], dict[str, File]]


@pytest.fixture(scope="session")
def rendered(catalog: Catalog, site: Callable[[str], Topology]) -> Render:
    """Files of one host of one example inventory."""
    return lambda inventory, host: render(catalog, site(inventory), host)


@pytest.fixture
def node_root(tmp_path: Path) -> Callable[[dict[str, File]], Path]:
    """A root folder with the rendered files, Debian's units and everything that units start."""

    def build(files: dict[str, File]) -> Path:
        for path, file in files.items():
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text)
        units = tmp_path / "usr/lib/systemd/system"
        units.mkdir(parents=True)
        for unit in [*DEBIAN_UNITS.glob("*.target"), *DEBIAN_UNITS.glob("*.slice")]:
            shutil.copy(unit, units)
        for name in ("nginx", "mariadb", "redis-server", "nats-server", "dbus", "systemd-journald"):
            shutil.copy(DEBIAN_UNITS / f"{name}.service", units)
        for program in PROGRAMS:
            place = tmp_path / program.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("#!/bin/sh\n")
            place.chmod(0o755)
        return tmp_path

    return build


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, node.pem and node.key, made by openssl."""
    folder = tmp_path_factory.mktemp("pki")
    line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=main-a"
    words = ["openssl", *line.split(), "-keyout", "node.key", "-out", "node.pem"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "node.pem", folder / "ca.pem")
    return folder
