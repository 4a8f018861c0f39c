"""Debian's GStreamer RTSP server as a relay; run with /usr/bin/python3, which sees Debian's bindings.

usage: media_gst.py PORT URL..., the cameras it gives on as /cam0, /cam1, ... without decoding.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main() -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    for number, url in enumerate(sys.argv[2:]):
        factory = GstRtspServer.RTSPMediaFactory()
        pull = f"rtspsrc location={url} protocols=tcp latency=0 ! rtph264depay ! h264parse"
        factory.set_launch(f"( {pull} ! rtph264pay name=pay0 pt=96 mtu=1400 )")
        factory.set_shared(True)
        factory.set_latency(0)
        server.get_mount_points().add_factory(f"/cam{number}", factory)
    if not server.attach(None):
        sys.exit("cannot listen")
    GLib.MainLoop().run()


main()
