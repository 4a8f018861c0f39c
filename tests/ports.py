"""Ports of loopback for programs under test."""

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_HIGHEST = 32_000
_given: set[int] = set()


def free_port() -> int:
    """A TCP port on which nobody listens, given out once.

    It lies below those that the system gives to connections: else one of them could take it before the
    program that is to listen there has started.
    """
    highest = min(_HIGHEST, int(_EPHEMERAL.read_text().split()[0])) - 1
    for _ in range(1000):
        port = random.randint(20_000, highest)  # noqa: S311 - nothing secret
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise OSError("all ports of loopback are taken")
