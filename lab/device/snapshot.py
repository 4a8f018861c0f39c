"""One picture of the camera as JPEG, made by GStreamer when it is asked for."""

import time
from collections.abc import Callable

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402 - versions come first

from lab.device.scene import Scene  # noqa: E402

WIDTH, HEIGHT = 640, 360
CAPS = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=1/1"
SECONDS = 5


def jpeg(name: str, device_time: Callable[[], float]) -> bytes:
    """What the camera sees now; RuntimeError if GStreamer gives no picture."""
    Gst.init(None)
    words = f"appsrc name=in caps={CAPS} format=time ! jpegenc ! appsink name=out sync=false"
    pipeline = Gst.parse_launch(words)
    picture = bytes(Scene(WIDTH, HEIGHT, name).picture(0, int(time.time() * 1000), device_time()))
    pipeline.set_state(Gst.State.PLAYING)
    try:
        source = pipeline.get_by_name("in")
        source.emit("push-buffer", Gst.Buffer.new_wrapped(picture))
        source.emit("end-of-stream")
        sample = pipeline.get_by_name("out").emit("try-pull-sample", SECONDS * Gst.SECOND)
    finally:
        pipeline.set_state(Gst.State.NULL)
    if sample is None:
        raise RuntimeError("no picture was made")
    buffer = sample.get_buffer()
    return bytes(buffer.extract_dup(0, buffer.get_size()))
