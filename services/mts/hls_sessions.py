"""Who plays a stream by HLS: sessions with ids that nobody guesses, and one packager per stream for all."""

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType

from services.media.gate import refused
from services.mts.segments import Packager
from services.mts.stream import Key, Stream
from services.runtime.errors import Problem

IDLE_SECONDS = 20.0
MAX_SESSIONS = 500
MAX_PACKAGERS = 64
_MAX_REMEMBERED = 2000
_SWEEP_SECONDS = 2.0

Packaged = tuple[Stream, bool]


@dataclass(eq=False)
class Session:
    """One viewing; it does not end while a request of it is answered (`with session`)."""

    id: str
    key: Key
    user: str
    packager: Packager
    packaged: Packaged
    seen: float = field(default_factory=monotonic)
    _asking: int = 0

    @property
    def idle(self) -> bool:
        """Whether it has not asked for anything for too long."""
        return not self._asking and monotonic() - self.seen > IDLE_SECONDS

    def __enter__(self) -> "Session":
        self._asking += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking -= 1
        self.seen = monotonic()


class Sessions:
    """At most 500 sessions of at most 64 packaged streams."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._packagers: dict[Packaged, Packager] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def open(self, stream: Stream, user: str, loud: bool) -> Session:
        """A new session; raises Problem (503) where there are too many."""
        self._sweep()
        if len(self._open) >= MAX_SESSIONS:
            raise _too_many(f"{MAX_SESSIONS} viewings by HLS are open on this node.")
        packager = self._packager(stream, loud)
        session = Session(secrets.token_urlsafe(24), stream.key, user, packager, (stream, loud))
        self._open[session.id] = session
        return session

    def find(self, name: str, key: Key) -> Session:
        """The session of that id and stream; raises Problem: 410 for one that has ended, 403 for none."""
        session = self._open.get(name)
        if session is not None and session.key == key:
            if session.packager.ended:
                raise _ended("Its channel was changed or taken away.")
            return session
        if name in self._ended:
            raise _ended(f"Nothing was asked for {IDLE_SECONDS:.0f} seconds.")
        raise refused("There is no such viewing on this node.")

    async def sweep_often(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._sweep()

    def _packager(self, stream: Stream, loud: bool) -> Packager:
        found = self._packagers.get((stream, loud))
        if found is None or found.ended:
            if len(self._packagers) >= MAX_PACKAGERS:
                raise _too_many(f"{MAX_PACKAGERS} streams are packaged for HLS on this node.")
            found = self._packagers[stream, loud] = Packager(stream.remove, loud)
            stream.add_live(found)
        return found

    def _sweep(self) -> None:
        """End what nobody asks for; the last session of a stream takes its packager with it."""
        for session in [one for one in self._open.values() if one.idle]:
            del self._open[session.id]
            self._ended[session.id] = None
        while len(self._ended) > _MAX_REMEMBERED:
            self._ended.popitem(last=False)
        used = {id(session.packager) for session in self._open.values()}
        for packaged, packager in list(self._packagers.items()):
            if id(packager) not in used:
                packager.end()
                del self._packagers[packaged]


def _too_many(why: str) -> Problem:
    remedy = "Close other viewings, or try again in half a minute."
    return Problem("hls-too-many", "The picture was refused.", why, remedy, status=503)


def _ended(why: str) -> Problem:
    return Problem("hls-ended", "The viewing has ended.", why, "Open the channel again.", status=410)
