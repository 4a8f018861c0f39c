"""A port of one network counts as open at its own address alone."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.node import files, units, verify
from services.smc.agent import ports

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

CLIENT, CLUSTER = "198.18.2.10", "198.18.1.10"
EVERY = "0.0.0.0"  # noqa: S104 - read from a table, not bound
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = (
    "   0: {at} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
)


def row(network: str, address: str, port: int = 443) -> dict[str, Any]:
    return {
        "direction": "in", "status": "built", "service": "nginx", "port": port, "protocol": "tcp",
        "network": network, "address": address,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bound", "open_"),
    [
        ("0A0212C6:01BB", {"client"}),
        ("0A0112C6:01BB", {"cluster"}),
        ("00000000:01BB", {"client", "cluster"}),
        ("0100007F:01BB", set()),
    ],
    ids=["client", "cluster", "every", "loopback"],
)
def test_the_agent_tells_each_network_apart(
    node_files: "NodeFiles", tmp_path: Path, bound: str, open_: set[str]
) -> None:
    (node_files.etc / "ports.json").write_text(json.dumps([row("client", CLIENT), row("cluster", CLUSTER)]))
    (tmp_path / "tcp").write_text(HEAD + LINE.format(at=bound))
    assert {r["network"] for r in ports.matrix(tmp_path) if r["listening"]} == open_


def test_the_agent_reads_addresses_of_ipv6(tmp_path: Path) -> None:
    (tmp_path / "tcp6").write_text(HEAD + LINE.format(at="030000FD000000000000000010000000:01BB"))
    assert [(one.address, one.port) for one in ports.listening(tmp_path, "tcp")] == [("fd00:3::10", 443)]


Bound = dict[tuple[int, str, str], str]


@pytest.mark.parametrize(
    ("bound", "wrong"),
    [
        ([CLIENT, CLUSTER, "127.0.0.1"], []),
        ([CLIENT, "127.0.0.1"], [f"443/tcp at {CLUSTER}"]),
        ([CLIENT, CLUSTER, "198.18.3.10"], ["443/tcp at 198.18.3.10"]),
        ([EVERY], [f"443/tcp at {CLIENT}", f"443/tcp at {CLUSTER}", f"443/tcp at {EVERY}"]),
    ],
    ids=["as in the matrix", "one is missing", "one too many", "every address"],
)
def test_verification_asks_for_each_address_and_for_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: list[str], wrong: list[str]
) -> None:
    (tmp_path / "ports.json").write_text(json.dumps([row("client", CLIENT), row("cluster", CLUSTER)]))
    sockets: Bound = {(443, "tcp", address): "nginx.service" for address in bound}
    monkeypatch.setattr(files, "ETC", tmp_path)
    monkeypatch.setattr(units, "built", list)
    monkeypatch.setattr(verify, "own_sockets", lambda _: sockets)
    assert [check.what for check in verify._listeners() if not check.ok] == wrong
