"""`GET /record/<channel>/<stream>`: fMP4 for the recorder of this node, in few large messages."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from time import monotonic

from services.media import batch
from services.mts.chunk import Chunk
from services.mts.viewer import LiveViewer, Viewer
from services.mts.websocket import BINARY, bodies, header

LOG = logging.getLogger(__name__)

BACKLOG = 16 * 1024 * 1024
BATCH_BYTES = 512 * 1024
BATCH_SECONDS = 1.0
MAX_GOP_FRAMES = 1500
KEEP_SECONDS = 15.0
KEEP_BYTES = 16 * 1024 * 1024
"""What is kept for a recorder that is away: restarting one must not cost a picture."""
Kept = list[tuple[Chunk, bool]]


class Recorder(LiveViewer):
    """Sends whole batches: each ends before a key frame, after a second, or with half a megabyte.

    Before the first one and at each change come the messages of a browser's init.
    """

    patient = True

    def __init__(self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None]) -> None:
        super().__init__(transport, on_gone)
        self._frames: list[Chunk] = []
        self._size = 0
        self._since = 0.0
        self._gap = True
        self._ended = False
        self._old: Kept = []
        self._new: Kept = []
        self._kept = False

    def feed(self, chunk: Chunk) -> None:
        """Take one frame; whatever goes wrong ends this recorder only."""
        if self._ended or chunk.live is None or (self._waits_for_key and not chunk.key):
            return
        try:
            self._take(chunk)
        except Exception as reason:
            LOG.info("the recorder is gone: %s", reason)
            self._ended = True
            self.end()

    def interrupted(self) -> None:
        """The camera is gone: what has come so far is sent, and what follows has a gap before it."""
        with contextlib.suppress(RuntimeError):
            self._send()
        self._gap = self._waits_for_key = True

    def leave(self) -> LiveViewer | None:
        """The last two GOPs may not be on a disk yet; they and what follows wait for the next recorder."""
        return Keeper(self.transport, self._on_gone, self._old + self._new)

    def heir(self) -> bool:
        return True

    def inherit(self, chunks: Kept) -> None:
        """Send what was kept, and say so."""
        self._kept = True
        for chunk, gap in chunks:
            if gap:
                self.interrupted()
            self.feed(chunk)
        if not self._ended:
            self._send()
        self._kept = False

    def _take(self, chunk: Chunk) -> None:
        if chunk.key or self._size > BATCH_BYTES or monotonic() - self._since > BATCH_SECONDS:
            self._send()
        if chunk.key and self.transport.get_write_buffer_size() > BACKLOG:
            self.interrupted()
            return
        if chunk.key and chunk.init is not None and chunk.init is not self._init:
            self._init = chunk.init
            self.transport.write(chunk.init.messages)
        self._waits_for_key = False
        if not self._frames:
            self._since = monotonic()
        if chunk.key:
            self._old, self._new = self._new, []
        elif len(self._new) > MAX_GOP_FRAMES:
            self._old, self._new = [], []
        self._new.append((chunk, self._gap and not self._frames))
        self._frames.append(chunk)
        self._size += len(chunk.data)

    def _send(self) -> None:
        frames = self._frames
        if not frames:
            return
        flags = (batch.KEY if frames[0].key else 0) | (batch.GAP if self._gap else 0)
        flags |= batch.KEPT if self._kept else 0
        span = frames[0].ticks[0], frames[-1].ticks[1]
        head = batch.HEADER.pack(flags, batch.VERSION, len(frames), frames[0].at, *span)
        parts = [bodies(chunk.live)[0] for chunk in frames if chunk.live]
        size = len(head) + sum(map(len, parts))
        self.transport.writelines([header(BINARY, size), head, *parts])
        self._gap = False
        self._size = 0
        frames.clear()


class Keeper(LiveViewer):
    """Stands in for a recorder that is away, for a while."""

    patient = True

    def __init__(self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None], kept: Kept) -> None:
        super().__init__(transport, on_gone)
        self._kept = kept
        self._gap = False
        self._room = KEEP_BYTES
        self._until = monotonic() + KEEP_SECONDS

    def feed(self, chunk: Chunk) -> None:
        """Keep one frame, or give up."""
        self._room -= len(chunk.data)
        if monotonic() > self._until or self._room < 0:
            self._on_gone(self)
            return
        self._kept.append((chunk, self._gap))
        self._gap = False

    def interrupted(self) -> None:
        self._gap = True

    def tell(self, said: bytes) -> None:
        """Nobody is there to read it."""

    def left(self) -> Kept | None:
        return self._kept

    def end(self) -> None:
        """There is no connection any more that could be dropped."""
