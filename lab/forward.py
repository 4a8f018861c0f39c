"""A TCP forwarder from this machine's own network into a lab's: the only opening a lab has.

Run as `python -m lab.forward FD HOST PORT` inside the lab's network, with a listening socket that was opened
outside it: accepted connections stay outside, new ones go inside.
"""

import asyncio
import json
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.network import Network
from lab.tools import LabError, Process, launch, save

BLOCK = 65536
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Forward:
    """One opening: outer `listen` and inner `to`, both HOST:PORT."""

    listen: str
    to: str


def start(network: Network, folder: Path, forward: Forward) -> None:
    """Open the outer port and leave a process behind that serves it; the same forward twice is fine."""
    if forward in running(folder):
        return
    own = place(folder, forward.listen)
    stop(own)
    own.mkdir(parents=True, exist_ok=True)
    save(own / "forward.json", json.dumps(asdict(forward)))
    outer, (host, port) = _listen(forward.listen), split(forward.to)
    words = network.enter(sys.executable, "-m", "lab.forward", str(outer.fileno()), host, str(port))
    path = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with outer:
        launch(words, own, path, (outer.fileno(),))


def place(folder: Path, listen: str) -> Path:
    """Where a forward is noted."""
    return folder / listen.replace(":", "_")


def running(folder: Path) -> list[Forward]:
    """Forwards that are open now."""
    places = [p for p in sorted(folder.glob("*")) if Process.load(p / "process.json")]
    return [Forward(**json.loads((p / "forward.json").read_text())) for p in places]


def stop_all(folder: Path) -> None:
    """Close every forward."""
    for place in folder.glob("*"):
        stop(place)


def stop(place: Path) -> None:
    """Close one forward, if it is open."""
    process = Process.load(place / "process.json")
    if process:
        process.stop()


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
    """Pass bytes on until the end, and the end too; a broken side breaks the other, so that nobody waits."""
    try:
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


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
