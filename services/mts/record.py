"""`GET /record/<channel>/<stream>`: fMP4 for the recorder of this node, in few large messages."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from itertools import chain
from time import monotonic

from services.media import batch
from services.mts import fmp4_sound
from services.mts.chunk import Chunk, Heard, Init, Pieces
from services.mts.viewer import LiveViewer, Viewer
from services.mts.websocket import BINARY, header

LOG = logging.getLogger(__name__)

BACKLOG = 16 * 1024 * 1024
BATCH_BYTES = 1024 * 1024
BATCH_SECONDS = 0.9
MAX_GOP_FRAMES = 1500
MOST_SAMPLES = 512
"""Of sound in one fragment; what reads them back counts on it."""
KEEP_SECONDS = 15.0
KEEP_BYTES = 16 * 1024 * 1024
"""What is kept for a recorder that is away: restarting one must not cost a picture."""
Kept = list[tuple[Chunk, bool]]


class Recorder(LiveViewer):
    """Sends whole batches: each ends before a key frame, after about a second, or with a megabyte.

    A GOP in one would cost a tenth less, and with it would go a second more when this process is killed.

    Before the first one and at each change come the messages of a browser's init.
    """

    patient = True
    pictures_only = True

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
        if self._ended or chunk.init is None or (self._waits_for_key and not chunk.key):
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
        return Keeper(self.transport, self._on_gone, self._old + self._new, self.keeps_sound)

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
        if chunk.key:
            self._end_gop(chunk)
        elif self._size > BATCH_BYTES or monotonic() - self._since > BATCH_SECONDS:
            self._send()
        if chunk.key and self.transport.get_write_buffer_size() > BACKLOG:
            self.interrupted()
            return
        init = self._wanted(chunk)
        if chunk.key and init is not None and init is not self._init:
            self._init = init
            self.transport.write(init.messages)
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

    def _wanted(self, chunk: Chunk) -> Init | None:
        """What the recorded file begins with."""
        return chunk.init

    def _end_gop(self, key: Chunk) -> None:
        """Send what came before a key frame."""
        self._send()

    def _sound(self) -> Pieces:
        """Fragments of what was heard during the frames that are sent."""
        return []

    def _send(self) -> None:
        frames, self._frames = self._frames, []
        parts = [one for chunk in frames if (one := chunk.fragment())]
        self._size = 0
        if not parts:
            return
        flags = (batch.KEY if frames[0].key else 0) | (batch.GAP if self._gap else 0)
        flags |= batch.KEPT if self._kept else 0
        span = frames[0].ticks[0], frames[-1].ticks[1]
        head = batch.HEADER.pack(flags, batch.VERSION, len(parts), frames[0].at, *span)
        # Behind the first picture, so that a GOP begins with it and its sound is read early.
        parts[1:1] = [self._sound()]
        pieces = [head, *chain.from_iterable(parts)]
        self.transport.write(b"".join((header(BINARY, sum(map(len, pieces))), *pieces)))
        self._gap = False


class SoundRecorder(Recorder):
    """Adds the sound: one fragment for each batch, so that it costs about as little as a picture."""

    keeps_sound = True

    def __init__(self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None]) -> None:
        super().__init__(transport, on_gone)
        self._tick = 0
        self._row: list[tuple[int, bytes]] = []
        self._number = 0

    def interrupted(self) -> None:
        super().interrupted()
        self._row = []

    def _wanted(self, chunk: Chunk) -> Init | None:
        return chunk.heard.init if chunk.heard else chunk.init

    def _end_gop(self, key: Chunk) -> None:
        """What is heard before a key frame belongs before it, whenever it came."""
        heard = key.heard
        if heard is None or heard.init is not self._init:
            super()._end_gop(key)
            return
        self._add(heard)
        due, row = key.shown * heard.rate // heard.init.timescale, self._row
        count, tick = 0, self._tick
        while count < len(row) and tick < due:
            tick += row[count][0]
            count += 1
        self._row = row[:count] if self._frames else []
        super()._end_gop(key)
        self._tick, self._row = tick, row[count:]

    def _take(self, chunk: Chunk) -> None:
        super()._take(chunk)
        if not chunk.key and chunk.heard and chunk.heard.init is self._init:
            self._add(chunk.heard)

    def _add(self, heard: Heard) -> None:
        if not self._row:
            self._tick = heard.tick
        self._row += heard.samples

    def _sound(self) -> Pieces:
        rows = [self._row[start : start + MOST_SAMPLES] for start in range(0, len(self._row), MOST_SAMPLES)]
        self._row, made = [], Pieces()
        for row in rows:
            self._number = (self._number + 1) & 0xFFFFFFFF
            made.append(fmp4_sound.fragment(self._number, self._tick, row))
            self._tick += sum(lasts for lasts, _ in row)
        return made


class Keeper(LiveViewer):
    """Stands in for a recorder that is away, for a while."""

    patient = True
    pictures_only = True

    def __init__(
        self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None], kept: Kept, sound: bool
    ) -> None:
        super().__init__(transport, on_gone)
        self.keeps_sound = sound
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
