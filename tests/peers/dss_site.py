"""A site's trust and its NATS servers on loopback, as deployment would lay them out: one folder per node."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment, FileSystemLoader

from services.node import pki
from services.smc.agent import links
from tests.ports import free_port

SERVER = Path(os.environ.get("DSS_TESTS_NATS", Path(sys.executable).with_name("nats-server")))
"""The server under test; the bundle's, unpacked, is named by DSS_TESTS_NATS."""

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
SECRETS = {"node-token": "node-secret", "mq-manager": "word-of-the-manager"}


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@dataclass
class Authority:
    """A site's certificate authority that gives nodes their files."""

    name: str = "Test"

    def __post_init__(self) -> None:
        self.key, self.ca = pki.make_ca(self.name)

    def equip(self, folder: Path, name: str) -> None:
        """ca.pem, node.pem and node.key of node `name` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        own = pki.new_key()
        certificate = pki.sign(self.key, self.ca, own.public_key(), pki.Names.of(name, []))
        (folder / "ca.pem").write_bytes(pki.pem(self.ca))
        (folder / "node.pem").write_bytes(pki.pem(certificate))
        (folder / "node.key").write_bytes(pki.key_pem(own))


@dataclass
class Server:
    """One node's NATS server with its rendered configuration; a sub links to the port `center` of main."""

    folder: Path
    name: str
    center: int | None = None
    port: int = field(default_factory=free_port)
    leaf: int = field(default_factory=free_port)
    monitor: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for name, word in SECRETS.items():
            (self.folder / "pki" / name).write_text(word)
        (self.folder / "mq").mkdir(exist_ok=True)
        (self.folder / "mq" / "nodes.conf").touch()

    def configuration(self) -> str:
        """nats.conf as a node has it, with its paths in this folder."""
        environment = Environment(  # noqa: S701 - a configuration file
            loader=FileSystemLoader(TEMPLATES),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        center = SimpleNamespace(address="127.0.0.1", ports={"mq.leaf": self.center})
        host = SimpleNamespace(name=self.name, install_path=self.folder, center=center)
        text = environment.get_template("nats.conf.j2").render(
            generated="", host=host, role="sub" if self.center else "main", any_address="127.0.0.1",
            ports={"mq.client": self.port, "mq.leaf": self.leaf, "mq.monitor": self.monitor},
            bracket=lambda address: address,
        )  # fmt: skip
        for name, word in SECRETS.items():
            text = text.replace(f"@@credential:{name}@@", word)
        text = text.replace("../../../var/lib/dss/mq", "mq")
        return text.replace("/run/credentials/nats-server.service", "/etc/dss/pki").replace(
            "/etc/dss/pki", str(self.folder / "pki")
        )

    def start(self) -> None:
        """Start it; it may take a moment to answer."""
        (self.folder / "nats.conf").write_text(self.configuration())
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([SERVER, "-c", self.folder / "nats.conf"], stderr=log)

    def admit(self, **nodes: bool) -> None:
        """As main, before its start: write whom DSS_SMC lets in (name with `_` for `-` → whether)."""
        wanted = {name.replace("_", "-"): admitted for name, admitted in nodes.items()}
        (self.folder / "mq" / "nodes.conf").write_text(links.text(wanted, SECRETS["mq-manager"]))

    def kill(self) -> None:
        """End it without notice."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
