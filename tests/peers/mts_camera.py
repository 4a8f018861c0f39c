"""A camera made of Debian's GStreamer RTSP server; run with /usr/bin/python3, which sees Debian's bindings.

usage: mts_camera.py PORT PASSWORD [h264|h265|bframes|paced] [aac|alaw|ulaw|opus|surround] [alone] [udp]
                     [at=ADDRESS] [talk=FILE] [talk-alaw=FILE]
                     [WIDTHxHEIGHT] [KBIT]
With `alone` there is sound, a tone of 440 Hz, and no picture.
Digest authentication for user admin, path /cam/realmonitor, GOP of one second, 25 frames a second.
Prints "ready" when it listens. With a file it has an ONVIF back channel, GStreamer's own, and
keeps there what it hears: samples of 16 bits, 8000 a second, each where its RTP time puts it.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def pipeline(words: list[str]) -> str:
    """The launch line of the asked-for camera."""
    size = next((w for w in words if w[0].isdigit() and "x" in w), "320x180")
    rate = next((w for w in words if w.isdigit()), "500")
    width, height = size.split("x")
    picture = f"videotestsrc is-live=true pattern=snow ! video/x-raw,width={width},height={height}"
    picture += ",framerate=25/1"
    x264 = f"x264enc speed-preset=ultrafast key-int-max=25 bitrate={rate} threads=1"
    video = (
        f"{x264} tune=zerolatency ! video/x-h264,profile=main ! rtph264pay name=pay0 config-interval=-1 pt=96"
    )
    if "h265" in words:
        encoder = f"x265enc speed-preset=ultrafast tune=zerolatency key-int-max=25 bitrate={rate}"
        video = f"{encoder} ! rtph265pay name=pay0 config-interval=-1 pt=96"
    if "bframes" in words:
        video = f"{x264} bframes=2 b-adapt=false ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96"
    if "paced" in words:
        # identity unpacks the payloader's lists and sleeps behind each packet.
        video = video.replace(" name=pay0", "") + " ! identity sleep-time=300 name=pay0"
    audio = ""
    if "aac" in words:
        audio = "audiotestsrc is-live=true ! audioconvert ! avenc_aac ! rtpmp4gpay name=pay1 pt=97"
    if "alaw" in words:
        audio = (
            "audiotestsrc is-live=true ! audioconvert ! audioresample ! alawenc ! rtppcmapay name=pay1 pt=8"
        )
    if "ulaw" in words:
        audio = (
            "audiotestsrc is-live=true ! audioconvert ! audioresample ! mulawenc ! rtppcmupay name=pay1 pt=0"
        )
    if "surround" in words:
        audio = "audiotestsrc is-live=true ! audio/x-raw,channels=6 ! audioconvert ! avenc_aac"
        audio += " ! rtpmp4gpay name=pay1 pt=97"
    if "opus" in words:
        audio = "audiotestsrc is-live=true ! audioconvert ! opusenc ! rtpopuspay name=pay1 pt=97"
    if "alone" in words:
        return f"( {audio.replace('name=pay1', 'name=pay0')} )"
    return f"( {picture} ! videoconvert ! {video} {audio} )"


def ear(file: str, alaw: bool) -> str:
    """The launch line of what hears; `audiorate` fills the holes that RTP times tell of."""
    name, payload, word = ("PCMA", 8, "alaw") if alaw else ("PCMU", 0, "mulaw")
    depay = f"rtp{name.lower()}depay"
    caps = f"application/x-rtp,media=audio,payload={payload},clock-rate=8000,encoding-name={name}"
    kept = f"filesink location={file} sync=false async=false buffer-mode=unbuffered"
    return f'( capsfilter name=depay_backchannel caps="{caps}" ! {depay} ! {word}dec ! audiorate ! {kept} )'


def main() -> None:
    """Serve until killed."""
    port, password, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    Gst.init(None)
    heard = next((w.partition("=") for w in words if w.startswith("talk")), None)
    server = GstRtspServer.RTSPOnvifServer() if heard else GstRtspServer.RTSPServer()
    server.set_address(next((w[3:] for w in words if w.startswith("at=")), "127.0.0.1"))
    server.set_service(port)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    allowed = GstRtspServer.RTSPToken()
    allowed.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth.add_digest("admin", password, allowed)
    server.set_auth(auth)
    factory = GstRtspServer.RTSPOnvifMediaFactory() if heard else GstRtspServer.RTSPMediaFactory()
    factory.set_launch(pipeline(words))
    factory.set_shared(not heard)
    if heard:
        factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia)
        factory.set_backchannel_launch(ear(heard[2], "alaw" in heard[0]))
    if "udp" in words:
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    allow = "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    factory.add_role_from_structure(Gst.Structure.new_from_string(allow))
    server.get_mount_points().add_factory("/cam/realmonitor", factory)
    if not server.attach(None):
        sys.exit("cannot listen")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
