"""One viewer's end of the fan-out: bounded, guarded, and never able to hold up the camera."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic

from services.mts.chunk import Channels, Chunk

LOG = logging.getLogger(__name__)

BACKLOG = 2 * 1024 * 1024
STUCK_SECONDS = 30.0


class Viewer(ABC):
    """Writes chunks to one transport. Behind by more than BACKLOG bytes, it goes on at the next key frame."""

    patient = False
    """Whether it may get its frames later, many at once."""

    def __init__(self, transport: asyncio.Transport, on_gone: Callable[["Viewer"], None]) -> None:
        self.transport = transport
        self._waits_for_key = True
        self._behind_since = 0.0
        self._on_gone = on_gone

    def feed(self, chunk: Chunk) -> None:
        """Offer one frame; whatever goes wrong ends this viewer only."""
        if self._waits_for_key and not chunk.key:
            return
        try:
            if self.transport.get_write_buffer_size() > BACKLOG:
                self._fall_behind()
                return
            data = self.product(chunk)
            if data is not None:
                if self._waits_for_key:
                    self._waits_for_key = False
                    self._behind_since = 0.0
                self.transport.write(data)
        except Exception as reason:
            # uvloop raises RuntimeError for a transport that its peer closed in the same turn.
            LOG.info("a viewer is gone: %s", reason)
            self.end()

    def interrupted(self) -> None:
        """The camera was lost: what it plays later makes sense from a key frame on."""
        self._waits_for_key = True

    @abstractmethod
    def product(self, chunk: Chunk) -> bytes | None:
        """The form of the frame this viewer gets; None if there is none yet."""

    def end(self) -> None:
        """Take the viewer out of the fan-out and drop its connection."""
        self._on_gone(self)
        self.transport.abort()

    def _fall_behind(self) -> None:
        self._waits_for_key = True
        self._behind_since = self._behind_since or monotonic()
        if monotonic() - self._behind_since > STUCK_SECONDS:
            LOG.info("a viewer has not read for %.0f s and is dropped", STUCK_SECONDS)
            self.end()


class RelayViewer(Viewer):
    """Gets the camera's packets as they came (RTSP, interleaved)."""

    def __init__(
        self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None], channels: Channels | None
    ) -> None:
        super().__init__(transport, on_gone)
        self._channels = channels

    def product(self, chunk: Chunk) -> bytes:
        return chunk.data if self._channels is None else chunk.variant(self._channels)


class LiveViewer(Viewer):
    """Gets WebSocket messages with fMP4; a new init segment goes before the first key frame that needs it."""

    loud = False
    """Whether the sound is wanted too."""
    keeps_sound = False
    """Whether it records the sound."""
    pictures_only = False
    """Whether sound alone is of no use to it."""

    def __init__(self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None]) -> None:
        super().__init__(transport, on_gone)
        self._init: object = None

    def tell(self, said: bytes) -> None:
        """Pass a message for people on."""
        try:
            self.transport.write(said)
        except RuntimeError as reason:
            LOG.info("a viewer is gone: %s", reason)
            self.end()

    def leave(self) -> "LiveViewer | None":
        """What stays in the fan-out when this viewer leaves it."""
        return None

    def heir(self) -> bool:
        """Whether this viewer takes over what another one left behind."""
        return False

    def inherit(self, chunks: "list[tuple[Chunk, bool]]") -> None:
        """Take over what another one left behind."""

    def left(self) -> "list[tuple[Chunk, bool]] | None":
        """What was left behind: chunks, and whether something is missing before each; None for nothing."""
        return None

    def product(self, chunk: Chunk) -> bytes | None:
        live, init = chunk.live, chunk.init
        if live is None or init is None:
            return None
        if init is self._init:
            return live
        if not chunk.key:
            return None
        self._init = init
        return init.messages + live


class LoudViewer(LiveViewer):
    """As LiveViewer, with the sound where there is one; else it hears once why there is none."""

    loud = True

    def product(self, chunk: Chunk) -> bytes | None:
        live, init = chunk.live, chunk.loud_init or chunk.init
        if live is None or init is None or (init is not self._init and not chunk.key):
            return None
        first = b"" if init is self._init else init.messages + (init.mute if chunk.loud is None else b"")
        self._init = init
        return first + (chunk.loud or live)
