"""GStreamer as an RTSP player: so many pictures, or all there are, then PAUSE, and TEARDOWN behind it.

`gst-launch-1.0` ends with both at once, and its own `rtspsrc` then at times cuts its PAUSE short and calls
it an error. Run by the system's Python: url, elements behind `rtspsrc`, pictures (0 for all). Prints how
many came.
"""

import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

SECONDS = 25


def hear(bus: Any, wanted: Any) -> Any:  # noqa: ANN401 - the bindings have no types
    """The next message of a wanted kind; ends the program at an error, or when none comes in time."""
    message = bus.timed_pop_filtered(SECONDS * Gst.SECOND, wanted | Gst.MessageType.ERROR)
    if message is None:
        sys.exit(f"no {wanted} within {SECONDS} s")
    if message.type == Gst.MessageType.ERROR:
        sys.exit(": ".join(map(str, message.parse_error())))
    return message


def paused(kind: Any, _: str, text: str) -> bool:  # noqa: ANN401
    """Whether a message of progress tells that PAUSE was answered."""
    return kind == Gst.ProgressType.COMPLETE and "PAUSE" in text


def main(url: str, elements: str, pictures: int) -> None:
    """Play and say how many pictures came."""
    Gst.init(None)
    pipeline: Any = Gst.parse_launch(
        f"rtspsrc location={url} protocols=tcp ! {elements} ! identity name=count ! fakesink"
    )
    bus, came = pipeline.get_bus(), 0

    def count(*_: object) -> Any:  # noqa: ANN401
        nonlocal came
        came += 1
        if came == pictures:
            bus.post(Gst.Message.new_application(pipeline, Gst.Structure.new_empty("enough")))
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("count").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, count)
    pipeline.set_state(Gst.State.PLAYING)
    hear(bus, Gst.MessageType.APPLICATION | Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.PAUSED)
    while not paused(*hear(bus, Gst.MessageType.PROGRESS).parse_progress()):
        pass
    pipeline.set_state(Gst.State.NULL)
    print(came)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
