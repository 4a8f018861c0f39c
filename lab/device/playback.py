"""`/cam/playback`: what the camera's own storage holds, at the speed that the client asks for."""

import calendar
import threading
import time
from typing import Any
from urllib.parse import parse_qs

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions come first

from lab.device.card import PLAYBACK_FORMAT, Card  # noqa: E402

PATH = "/cam/playback"
FASTEST = 16.0
LINE = (
    "appsrc name=card is-live=false format=time max-buffers=8 block=true "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 mtu=1400"
)


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """A pipeline for each client; `speed` is what the newest one wants (RFC 2326 §12.35)."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card, self.speed = card, 1.0
        self.connect("media-configure", self._configure)

    def do_create_element(self, url: Any) -> Any:  # noqa: ANN401 - GStreamer has no types
        words = parse_qs(url.query or "")
        try:
            start, end = (_moment(words[name][0]) for name in ("starttime", "endtime"))
        except (KeyError, ValueError):
            return None
        if not self.card.files(start, end):
            return None
        self._span = start, end
        return Gst.parse_bin_from_description(LINE, False)

    def listen(self, client: Any) -> None:  # noqa: ANN401
        """Hear at which speed a client wants to play."""
        client.connect("pre-play-request", self._play)

    def _play(self, _: Any, context: Any) -> Any:  # noqa: ANN401
        found, text = context.request.get_header(GstRtsp.RTSPHeaderField.SPEED, 0)
        self.speed = min(float(text), FASTEST) if found == GstRtsp.RTSPResult.OK else 1.0
        # Otherwise the server would try to seek, which what is only pushed cannot.
        context.request.remove_header(GstRtsp.RTSPHeaderField.SPEED, -1)
        return GstRtsp.RTSPStatusCode.OK

    def _configure(self, _: Any, media: Any) -> None:  # noqa: ANN401
        media.set_rate_control(False)
        source = media.get_element().get_by_name_recurse_up("card")
        ended = threading.Event()
        media.connect("unprepared", lambda *_: ended.set())
        threading.Thread(target=self._feed, args=(source, *self._span, ended), daemon=True).start()

    def _feed(self, source: Any, start: float, end: float, ended: threading.Event) -> None:  # noqa: ANN401
        first, last, due = 0, 0, time.monotonic()
        for one in self.card.pictures(start, end):
            first = first or one.at
            due = max(due, time.monotonic() - 1) + (one.at - (last or one.at)) / 1e6 / self.speed
            time.sleep(max(0.0, due - time.monotonic()))
            last = one.at
            buffer = Gst.Buffer.new_wrapped(one.data)
            buffer.pts = buffer.dts = (one.at - first) * 1000
            if ended.is_set() or source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return
        source.emit("end-of-stream")


def _moment(text: str) -> float:
    return calendar.timegm(time.strptime(text, PLAYBACK_FORMAT))
