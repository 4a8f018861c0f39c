"""A TCP forwarder from this machine's own network into a lab's: the only opening a lab has.

Run as `python -m lab.forward FD HOST PORT` inside the lab's network, with a listening socket that was opened
outside it: accepted connections stay outside, new ones go inside.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.network import Network
from lab.tools import LabError, Process, save

BLOCK = 65536
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Forward:
    """One opening: outer `listen` and inner `to`, both HOST:PORT."""

    listen: str
    to: str


def start(network: Network, folder: Path, forward: Forward) -> None:
    """Open the outer port and leave a process behind that serves it; the same forward twice is fine."""
    note = folder / f"{forward.listen.replace(':', '_')}.json"
    old = Process.load(note)
    if old and json.loads(note.read_text())["to"] == forward.to:
        return
    if old:
        old.stop()
    outer, (host, port) = _listen(forward.listen), split(forward.to)
    words = network.enter(sys.executable, "-m", "lab.forward", str(outer.fileno()), host, str(port))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with (folder / "log").open("ab") as log:
        child = subprocess.Popen(
            words,
            pass_fds=[outer.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    outer.close()
    process = Process.of(child.pid)
    save(
        note,
        json.dumps(
            {"pid": process.pid, "started": process.started, "listen": forward.listen, "to": forward.to}
        ),
    )


def running(folder: Path) -> list[Forward]:
    """Forwards that are open now."""
    notes = [p for p in sorted(folder.glob("*.json")) if Process.load(p)]
    return [Forward(n["listen"], n["to"]) for n in (json.loads(p.read_text()) for p in notes)]


def stop_all(folder: Path) -> None:
    """Close every forward."""
    for note in folder.glob("*.json"):
        process = Process.load(note)
        if process:
            process.stop()
        note.unlink()


def split(text: str) -> tuple[str, int]:
    """`HOST:PORT` as its two parts; raises LabError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise LabError(f"{text!r} is not HOST:PORT. Example: 127.0.0.1:8443")
    return host, int(port)


def _listen(text: str) -> socket.socket:
    try:
        return socket.create_server(split(text), backlog=128)
    except OSError as why:
        raise LabError(f"{text} cannot be opened: {why.strerror}. Choose another --listen port.") from why


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
        writer.write_eof()


async def serve(outer: socket.socket, host: str, port: int) -> None:
    """Serve a listening socket until the process ends; `host` and `port` are on the inside."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS)
        except OSError:  # TimeoutError is one
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, inner[1]), _pump(inner[0], writer))
        for end in (inner[1], writer):
            end.close()

    server = await asyncio.start_server(carry, sock=outer)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
