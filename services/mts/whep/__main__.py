"""`python -m services.mts.whep SOCKET…`: WebRTC for DSS_MTS; `wire` says how the two talk.

It has the UDP sockets from DSS_MTS by their numbers, speaks with whoever is on the network, and ends
with its input. What leads it astray ends this process and no other picture.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import Any, BinaryIO

import uvloop

from services.media import worker
from services.mts.whep import wire
from services.mts.whep.certificate import Certificate
from services.mts.whep.ice import Doors
from services.mts.whep.session import Session
from services.runtime.errors import Problem


class Desk:
    """The sessions of this process, by the number that DSS_MTS gave them."""

    def __init__(self, doors: Doors, out: BinaryIO) -> None:
        self._doors, self._out = doors, out
        self._certificate = Certificate.generateCertificate()
        self._sessions: dict[int, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, kind: int, number: int, body: bytes) -> None:
        """One message of DSS_MTS."""
        session = self._sessions.get(number)
        if kind == wire.OPEN:
            self._open(number, json.loads(body))
        elif session and kind == wire.CLOSE:
            session.close()
        elif session:
            session.take(body, kind == wire.EARLIER)

    def _open(self, number: int, order: dict[str, Any]) -> None:
        try:
            session = Session(self._doors, self._certificate, order)
            answer = session.answer()
        except Problem as problem:
            refused = {name: getattr(problem, name) for name in ("code", "what", "why", "remedy", "status")}
            self._say(number, refused=refused)
            return
        self._sessions[number] = session
        task = asyncio.create_task(self._run(number, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._say(number, answer=answer)

    async def _run(self, number: int, session: Session) -> None:
        why = "It came to an unexpected end."
        try:
            why = await session.run(lambda: self._say(number, connected=True))
        finally:
            self._sessions.pop(number, None)
            self._say(number, ended=why)

    def _say(self, number: int, **what: object) -> None:
        self._out.write(json.dumps({"number": number, **what}).encode() + b"\n")
        self._out.flush()


async def serve(sockets: list[socket.socket]) -> None:
    """Until the input ends."""
    doors = Doors(sockets)
    doors.open()
    desk = Desk(doors, sys.stdout.buffer)
    reader = asyncio.StreamReader(limit=wire.MAX_BODY)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            kind, number, size = wire.HEAD.unpack(await reader.readexactly(wire.HEAD.size))
            desk.take(kind, number, await reader.readexactly(min(size, wire.MAX_BODY)))


def main() -> None:
    """Serve until the input ends."""
    worker.bounded()
    sockets = [socket.socket(fileno=os.dup(int(number))) for number in sys.argv[1:]]
    uvloop.run(serve(sockets))


if __name__ == "__main__":
    main()
