"""Messages to systemd about this process's state (sd_notify(3))."""

import os
import socket


def send(*assignments: str) -> None:
    """Send `NAME=value` assignments; nothing happens outside systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        # A manager too busy to read must never block the service; the next message repeats the news.
        try:
            channel.sendto("\n".join(assignments).encode(), address)
        except OSError:
            return


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear from this process; None without a watchdog."""
    usec, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not usec or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1_000_000
