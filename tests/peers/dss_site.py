"""A site's trust and its NATS servers on loopback, as deployment would lay them out: one folder per node."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.node import pki

SERVER = Path(sys.executable).with_name("nats-server")
SETTINGS = """
server_name: {name}
listen: "127.0.0.1:{port}"
tls {{ {tls}, verify: true }}
jetstream {{ store_dir: "{folder}/store", domain: {name}, sync_interval: always }}
leafnodes {{ {leaf} }}
"""


def free_port() -> int:
    """A TCP port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    """One NATS server of a node, with the certificate in its `pki` folder."""

    folder: Path
    name: str
    leaf: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may take a moment to answer."""
        files = {"cert_file": "node.pem", "key_file": "node.key", "ca_file": "ca.pem"}
        tls = ", ".join(f'{key}: "{self.folder}/pki/{name}"' for key, name in files.items())
        leaf = self.leaf.replace("TLS", tls)
        text = SETTINGS.format(name=self.name, port=self.port, tls=tls, folder=self.folder, leaf=leaf)
        (self.folder / "nats.conf").write_text(text)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([SERVER, "-c", self.folder / "nats.conf"], stderr=log)

    def kill(self) -> None:
        """End it without notice."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
