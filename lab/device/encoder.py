"""One encoder for a camera's live pictures and for its storage: both hold the same bytes, as in real ones."""

import threading
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402 - versions come first

from lab.device.card import Card, Picture  # noqa: E402

CODED = "video/x-h264,stream-format=byte-stream,alignment=au"
LIVE = f"appsrc name={{name}} is-live=true format=time max-buffers=200 caps={CODED} ! h264parse"


class Encoder:
    """Runs from `start` on, whoever watches; `words` is the pipeline from raw pictures to coded ones."""

    def __init__(self, card: Card, device_time: Callable[[], float]) -> None:
        self._card, self._device_time = card, device_time
        self._sources: dict[Any, int] = {}

    def start(self, words: str, feed: Callable[[Any], None]) -> None:
        """Encode what `feed` gives to the appsrc named raw."""
        self._pipeline = Gst.parse_launch(f"{words} ! h264parse config-interval=-1 ! {CODED} ! "
                                          "appsink name=sink sync=false max-buffers=500")  # fmt: skip
        sink, raw = (self._pipeline.get_by_name(name) for name in ("sink", "raw"))
        self._pipeline.set_state(Gst.State.PLAYING)
        for work, given in ((feed, raw), (self._carry, sink)):
            threading.Thread(target=work, args=(given,), daemon=True).start()

    def join(self, source: Any) -> None:  # noqa: ANN401 - GStreamer has no types
        """Give the pictures to an appsrc too, from the next key picture on."""
        self._sources = {**self._sources, source: -1}

    def leave(self, source: Any) -> None:  # noqa: ANN401
        self._sources = {one: at for one, at in self._sources.items() if one is not source}

    def _carry(self, sink: Any) -> None:  # noqa: ANN401
        zero = 0
        while (sample := sink.emit("pull-sample")) is not None:
            buffer = sample.get_buffer()
            zero = zero or round(self._device_time() * 1e6) - buffer.pts // 1000
            key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            data = bytes(buffer.extract_dup(0, buffer.get_size()))
            self._card.keep_one(Picture(zero + buffer.pts // 1000, key, data))
            for source, first in list(self._sources.items()):
                if first < 0 and not key:
                    continue
                self._sources[source] = first = buffer.pts if first < 0 else first
                copy = Gst.Buffer.new_wrapped(data)
                copy.pts = copy.dts = buffer.pts - first
                source.emit("push-buffer", copy)
