"""Which TCP ports of an address take a connection: every port from 1 to 65535, quickly, by plain connects.

Run as `python -m lab.sweep ADDRESS` from the place in the network to look from; prints a JSON list.
"""

import errno
import json
import resource
import select
import socket
import sys
import time
from collections.abc import Iterable

BATCH = 15_000
PATIENCE = 1.5
"""Seconds: longer than the kernel's first repetition of a lost packet."""


def sweep(address: str, ports: Iterable[int] = range(1, 65536), patience: float = PATIENCE) -> list[int]:
    """The open ones of `ports`, sorted."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    size = BATCH if most == resource.RLIM_INFINITY else min(BATCH, most - 64)
    waiting, found = list(ports), list[int]()
    while waiting:
        batch, waiting = waiting[:size], waiting[size:]
        found += _batch(address, batch, patience)
    return sorted(found)


def _batch(address: str, ports: list[int], patience: float) -> list[int]:
    poll, sockets, found = select.epoll(), dict[int, tuple[socket.socket, int]](), list[int]()
    try:
        for port in ports:
            one = socket.socket()
            one.setblocking(False)
            code = one.connect_ex((address, port))
            if code not in (0, errno.EINPROGRESS):
                one.close()
                continue
            sockets[one.fileno()] = (one, port)
            poll.register(one, select.EPOLLOUT)
        end = time.monotonic() + patience
        while sockets and (left := end - time.monotonic()) > 0:
            for number, _ in poll.poll(left):
                one, port = sockets.pop(number)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(port)
                poll.unregister(number)
                one.close()
    finally:
        for one, _ in sockets.values():
            one.close()
        poll.close()
    return found


if __name__ == "__main__":
    print(json.dumps(sweep(sys.argv[1])))
