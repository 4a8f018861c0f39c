"""A broken camera: it accepts connections and answers bytes that are no protocol at all."""

import random
import socket
import threading

PORTS = (80, 554)


def serve() -> None:
    """Answer garbage on every camera port until the process ends."""
    for port in PORTS[1:]:
        threading.Thread(target=_accept, args=(port,), daemon=True).start()
    _accept(PORTS[0])


def _accept(port: int) -> None:
    listening = socket.create_server(("", port))
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    connection.settimeout(10)
    try:
        while connection.recv(4096):
            connection.sendall(random.randbytes(512) + b"\r\n\r\n")  # noqa: S311 - garbage is the point
    except OSError:
        pass
    finally:
        connection.close()
