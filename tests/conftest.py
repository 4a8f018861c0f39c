"""A node's files as deployment writes them, in a temporary folder."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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

    def credential(self, name: str, value: str) -> None:
        (self.credentials / name).write_text(value + "\n")

    def environment(self) -> dict[str, str]:
        return {
            "DSS_ETC": str(self.etc),
            "DSS_RUN": str(self.run),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "STATE_DIRECTORY": str(self.state),
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

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
