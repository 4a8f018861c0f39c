"""Faults look from outside as they do in the field: silence where power or cable is gone, no farewell."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from lab.host import Host
from lab.rack import Lab
from lab.tools import LabError

# Reads one byte at a time from a peer that never sends; prints how that ended.
PEER = """
import socket, sys
one = socket.create_connection((sys.argv[1], 7777), 5)
print("connected", flush=True)
one.settimeout(float(sys.argv[2]))
try:
    print("closed" if one.recv(1) == b"" else "data", flush=True)
except TimeoutError:
    print("silence", flush=True)
except OSError as why:
    print("reset", why, flush=True)
"""
LISTENER = (
    "import socket,time; s=socket.create_server(('',7777)); c=[s.accept() for _ in range(9)]; time.sleep(99)"
)
ADDRESS = "198.18.0.21"


def reaches(lab: Lab) -> bool:
    host = lab.host("sub-1")
    assert isinstance(host, Host)
    return host.answers()


def carrier(lab: Lab) -> str:
    return lab.execute("sub-1", ["cat", "/sys/class/net/host0/carrier"], capture=True).stdout.strip()


@pytest.fixture
def connected(lab: Lab) -> Iterator[Callable[[float], "subprocess.Popen[str]"]]:
    """Opens a TCP connection from the controller to sub-1 and returns the peer that waits on it."""
    unit = ["systemd-run", "--quiet", "--unit=listener", "--collect", "python3", "-c", LISTENER]
    assert lab.execute("sub-1", unit, capture=True).returncode == 0
    listening = ["sh", "-c", "until ss -Hltn | grep -q :7777; do sleep 0.05; done"]
    lab.execute("sub-1", listening, seconds=10)
    peers: list[subprocess.Popen[str]] = []

    def connect(patience: float) -> "subprocess.Popen[str]":
        words = lab.network.enter(sys.executable, "-c", PEER, ADDRESS, str(patience))
        peer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        peers.append(peer)
        assert peer.stdout is not None
        assert peer.stdout.readline() == "connected\n"
        return peer

    yield connect
    for peer in peers:
        peer.kill()
        peer.communicate()
    if lab.host("sub-1").running:
        lab.heal("sub-1")
    lab.boot("sub-1")
    lab.execute("sub-1", ["systemctl", "stop", "listener"], capture=True)


Connect = Callable[[float], "subprocess.Popen[str]"]


def test_power_loss_leaves_peers_in_silence_and_the_host_comes_back(lab: Lab, connected: Connect) -> None:
    peer = connected(2)
    lab.poweroff("sub-1")
    assert peer.communicate(timeout=10)[0] == "silence\n"
    assert not lab.host("sub-1").running
    assert not reaches(lab)
    with pytest.raises(LabError, match="lab boot sub-1"):
        lab.cut("sub-1")
    lab.boot("sub-1")
    assert reaches(lab)


def test_killing_a_process_instead_closes_its_connections(lab: Lab, connected: Connect) -> None:
    """The difference that makes the test above mean something."""
    peer = connected(5)
    lab.execute("sub-1", ["systemctl", "kill", "-s", "KILL", "listener"])
    assert peer.communicate(timeout=10)[0] == "closed\n"


def test_a_cut_takes_the_carrier_and_healing_brings_it_back(lab: Lab, connected: Connect) -> None:
    peer = connected(2)
    lab.cut("sub-1")
    assert carrier(lab) == "0"
    assert not reaches(lab)
    assert peer.communicate(timeout=10)[0] == "silence\n"
    lab.heal("sub-1")
    assert carrier(lab) == "1"
    assert any(reaches(lab) for _ in range(3))


def test_a_partition_keeps_the_carrier_and_passes_nothing(lab: Lab, connected: Connect) -> None:
    peer = connected(2)
    lab.partition("sub-1")
    assert carrier(lab) == "1"
    assert not reaches(lab)
    assert peer.communicate(timeout=10)[0] == "silence\n"
    lab.heal("sub-1")
    assert any(reaches(lab) for _ in range(3))


def test_other_hosts_are_not_touched_by_a_fault(lab: Lab) -> None:
    lab.cut("sub-1")
    try:
        host = lab.host("main-a")
        assert isinstance(host, Host)
        assert host.answers()
        assert lab.network.state(host.machine) == "connected"
    finally:
        lab.heal("sub-1")
