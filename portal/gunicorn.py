"""gunicorn configuration of dss-portal: `gunicorn --config python:portal.gunicorn portal.wsgi:app`.

gunicorn itself sends READY=1 once it listens. The watchdog here asks the worker for a small file by HTTP, so
one that accepts but never answers lets the watchdog expire; systemd then restarts the unit. It does not ask
/health: a database that is away is not mended by restarting the portal. Messages come from the main process:
`NotifyAccess=main` is enough.
"""

import gc
import os
import socket
import threading
from typing import Any

from gunicorn.systemd import sd_notify  # type: ignore[import-untyped]

from services.runtime import memory
from services.runtime.config import load_service

memory.keep_small()

HOST = "127.0.0.1"
PORT = load_service("smc").ports["portal"]

bind = f"{HOST}:{PORT}"
worker_class = "gthread"
workers = 1
threads = 8
preload_app = True
control_socket_disable = True
# nginx in front keeps a few connections open; anything slower than this is broken.
keepalive = 30
timeout = 60
graceful_timeout = 10
# Requests come through our nginx, which has its own limits; these are the same again for a bypass.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = None
errorlog = "-"
loglevel = "info"
# The heartbeat file of the worker must not sit on a slow disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a memory file system, used for one unlinked file

_QUESTION = b"GET /static/favicon.svg HTTP/1.0\r\nHost: localhost\r\n\r\n"


def answers(port: int, seconds: float) -> bool:
    """Whether the portal on `port` answers in time, with whatever status."""
    try:
        with socket.create_connection((HOST, port), timeout=seconds) as connection:
            connection.settimeout(seconds)
            connection.sendall(_QUESTION)
            return connection.recv(16).startswith(b"HTTP/1.")
    except OSError:
        return False


def _watch(period: float, log: Any) -> None:  # noqa: ANN401 - gunicorn's logger has no public type
    pause = threading.Event()
    while not pause.wait(period):
        if answers(PORT, period):
            sd_notify("WATCHDOG=1", log)


def when_ready(server: Any) -> None:  # noqa: ANN401 - gunicorn's arbiter has no public type
    """Start the watchdog thread if systemd asks for one (WATCHDOG_USEC)."""
    microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    if microseconds:
        period = microseconds / 1e6 / 3
        threading.Thread(target=_watch, args=(period, server.log), daemon=True, name="watchdog").start()


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn's types are not public
    """Keep the collector off what was loaded before the fork, so that both processes go on sharing it."""
    gc.collect()
    gc.freeze()
