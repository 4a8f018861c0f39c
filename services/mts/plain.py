"""fMP4 over plain HTTP, for players that open a file: one piece of a chunked answer per frame."""

import asyncio
from collections.abc import Callable

from services.mts.chunk import Chunk, piece
from services.mts.viewer import LiveViewer, Viewer


class PlainViewer(LiveViewer):
    """Writes behind the head of a chunked answer. `done` is set when the stream has become another one."""

    def __init__(
        self, transport: asyncio.Transport, on_gone: Callable[[Viewer], None], loud: bool = False
    ) -> None:
        super().__init__(transport, on_gone)
        self.loud = loud
        self.done = asyncio.Event()

    def tell(self, said: bytes) -> None:
        """A file has no place for words."""

    def end(self) -> None:
        self.done.set()
        super().end()

    def product(self, chunk: Chunk) -> bytes | None:
        init = (chunk.loud_init if self.loud else None) or chunk.init
        made = (chunk.loud if self.loud else None) or chunk.live
        if init is None or made is None or self.done.is_set():
            return None
        if self._init is None and chunk.key:
            self._init = init
            return piece([memoryview(init.segment)]) + chunk.plain(made)
        if init is not self._init:
            self.done.set()
            return None
        return chunk.plain(made)
