"""The camera's RTSP server: GStreamer's own, so that no code of the platform talks to itself in a test."""

import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions come first

from lab.device import playback  # noqa: E402
from lab.device.card import Card  # noqa: E402
from lab.device.encoder import LIVE, Encoder  # noqa: E402
from lab.device.scene import Scene  # noqa: E402

PATH = "/cam/realmonitor"
ROLE = "viewer"
EPOCH = 1767225600  # 2026-01-01; pictures are numbered from here, so that a restart never goes back
PEER_MILLISECONDS = 5000
Look = Callable[[], tuple[float, float, float]]
BEHIND_LIMIT = 1.0  # seconds after which a starved camera gives frames up instead of catching up


@dataclass(frozen=True)
class Stream:
    """One product of the camera; rates in frames per second and kbit/s."""

    width: int
    height: int
    rate: int
    kbits: int


STREAMS = {"0": Stream(1280, 720, 25, 2000), "1": Stream(640, 360, 25, 500)}
# x265 needs about four times the work of x264, which two cores do not have to give.
STREAMS_H265 = {"0": Stream(640, 360, 15, 800), "1": Stream(320, 180, 15, 300)}
H264 = (
    "x264enc speed-preset=ultrafast tune=zerolatency threads=1 bframes=0 key-int-max={gop} bitrate={kbits} "
    "vbv-buf-capacity=1000 ! video/x-h264,profile={profile} ! {pay}"
)
H265 = (
    "x265enc speed-preset=ultrafast tune=zerolatency key-int-max={gop} bitrate={kbits} "
    'option-string="pools=none:frame-threads=1:log-level=none:repeat-headers=1" ! h265parse ! {pay}'
)
AUDIO = {
    "h264-audio": "voaacenc bitrate=64000 ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "h264-g711": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
}


class Feed:
    """Hands pictures to one encoder at the camera's pace; picture n belongs to the time EPOCH + n / rate."""

    def __init__(self, source: Any, stream: Stream, scene: Scene, device_time: Callable[[], float]) -> None:  # noqa: ANN401
        self.source, self.stream, self.scene, self.device_time = source, stream, scene, device_time
        self._ended = threading.Event()

    def run(self) -> None:
        """Push pictures until the encoder goes away; blocking, for a thread of its own."""
        first = number = int((time.time() - EPOCH) * self.stream.rate)
        while not self._ended.is_set():
            due = EPOCH + number / self.stream.rate
            late = time.time() - due
            if late < 0:
                time.sleep(-late)
            elif late > BEHIND_LIMIT:
                print(f"rtsp: {late:.1f} s behind, pictures given up", file=sys.stderr, flush=True)
                number += int(late * self.stream.rate)
            if self._push(number, number - first) != Gst.FlowReturn.OK:
                return
            number += 1

    def stop(self) -> None:
        self._ended.set()

    def _push(self, number: int, index: int) -> Any:  # noqa: ANN401 - GStreamer has no types
        picture = self.scene.picture(number, int(time.time() * 1000), self.device_time())
        buffer = Gst.Buffer.new_allocate(None, len(picture), None)
        buffer.fill(0, bytes(picture))
        buffer.pts = buffer.dts = index * Gst.SECOND // self.stream.rate
        buffer.duration = Gst.SECOND // self.stream.rate
        return self.source.emit("push-buffer", buffer)


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """Makes the pipeline for `subtype` of a URL; one pipeline serves all viewers of it."""

    def __init__(self, variant: str, name: str, device_time: Callable[[], float], look: Look | None) -> None:
        super().__init__()
        self.variant, self.name, self.device_time, self.look = variant, name, device_time, look
        self._generation = 0
        self.encoders: dict[str, Encoder] = {}
        self.set_shared(True)
        self.set_latency(0)
        self.connect("media-configure", self._configure)

    @property
    def streams(self) -> dict[str, Stream]:
        return STREAMS_H265 if self.variant == "h265" else STREAMS

    def do_gen_key(self, url: Any) -> str:  # noqa: ANN401 - GStreamer has no types
        """What is the same stream: other words in the query (unicast, proto) make no second encoder."""
        return f"{_subtype(url)} {self._generation}"

    def renew(self) -> None:
        """Give everybody who comes from now on another pipeline than those who are here."""
        self._generation += 1

    def do_create_element(self, url: Any) -> Any:  # noqa: ANN401
        stream = self.streams.get(_subtype(url))
        if stream is None or parse_qs(url.query or "").get("channel", ["1"]) != ["1"]:
            return None
        bin_ = Gst.parse_bin_from_description(self._description(stream), False)
        if self.variant == "h264-paced":
            _pace(bin_)
        return bin_

    def _description(self, stream: Stream) -> str:
        caps = (
            f"video/x-raw,format=I420,width={stream.width},height={stream.height},framerate={stream.rate}/1"
        )
        coder = H265 if self.variant == "h265" else H264
        codec = "h265" if self.variant == "h265" else "h264"
        pay = f"rtp{codec}pay name=pay0 pt=96 config-interval=-1 mtu=1400"
        words = coder.format(gop=2 * stream.rate, kbits=stream.kbits, profile="constrained-baseline", pay=pay)
        if self.variant == "h264-paced":
            words = words.replace("name=pay0", "name=packets")
        name = f"feed{stream.width}"
        if self._encoder(stream):
            video = f"{LIVE.format(name=name)} ! {pay}"
        else:
            source = f"appsrc name={name} is-live=true format=time max-buffers=4 block=true"
            video = f"{source} caps={caps} ! {words}"
        if self.variant not in AUDIO:
            return video
        sound = f"audiotestsrc is-live=true wave=ticks volume=0.2 ! audioconvert ! {AUDIO[self.variant]}"
        return f"{video} {sound}"

    def record(self, subtype: str, card: Card) -> None:
        """Keep one stream on a card, from now on."""
        stream = self.streams[subtype]
        described = self._description(stream).partition(" ! rtph264pay")[0]
        words = described.replace(f"name=feed{stream.width}", "name=raw")
        made = Encoder(card, self.device_time)
        scene = self._scene(stream)
        made.start(words, lambda raw: Feed(raw, stream, scene, self.device_time).run())
        self.encoders[subtype] = made

    def _encoder(self, stream: Stream) -> Encoder | None:
        return next((self.encoders[key] for key in self.encoders if self.streams[key] is stream), None)

    def _scene(self, stream: Stream) -> Scene:
        return Scene(stream.width, stream.height, self.name, self.look)

    def _configure(self, _: Any, media: Any) -> None:  # noqa: ANN401
        for stream in self.streams.values():
            source = media.get_element().get_by_name_recurse_up(f"feed{stream.width}")
            encoder = self._encoder(stream)
            if source is not None and encoder:
                encoder.join(source)
                media.connect("unprepared", lambda *_, one=encoder, at=source: one.leave(at))
            elif source is not None:
                feed = Feed(source, stream, self._scene(stream), self.device_time)
                media.connect("unprepared", lambda *_, feed=feed: feed.stop())
                threading.Thread(target=feed.run, daemon=True).start()


def _subtype(url: Any) -> str:  # noqa: ANN401
    return str(parse_qs(url.query or "").get("subtype", ["0"])[0])


def _pace(bin_: Any) -> None:  # noqa: ANN401
    """Send packet by packet, 0.3 ms apart; the payloader alone hands over a whole frame as one list."""
    apart = Gst.parse_bin_from_description("identity sleep-time=300", True)
    payloader = bin_.get_by_name("packets")
    pace = Gst.Bin.new("pay0")
    bin_.remove(payloader)
    for element in (payloader, apart):
        pace.add(element)
    payloader.link(apart)
    pace.add_pad(Gst.GhostPad.new("sink", payloader.get_static_pad("sink")))
    pace.add_pad(Gst.GhostPad.new("src", apart.get_static_pad("src")))
    bin_.add(pace)
    filters = [e for e in _elements(bin_) if e.get_factory() and e.get_factory().get_name() == "capsfilter"]
    filters[-1].link(pace)


def _elements(bin_: Any) -> list[Any]:  # noqa: ANN401
    iterator = bin_.iterate_sorted()
    found: list[Any] = []
    while True:
        result, element = iterator.next()
        if result != Gst.IteratorResult.OK:
            return found[::-1]
        found.append(element)


def _guard(factory: Factory, client: Any) -> None:  # noqa: ANN401
    """Keep a peer that is gone without a farewell from holding up the pictures of all others.

    One that takes nothing for some seconds is given up. What it leaves behind may wait for its last packet
    until its session's time is up, and with it every viewer of that pipeline: newcomers get another one.
    """
    client.get_connection().get_write_socket().set_option(
        socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_MILLISECONDS
    )
    sessions: list[str] = []
    client.connect("new-session", lambda _, session: sessions.append(session.get_sessionid()))
    client.connect("teardown-request", lambda *_: sessions.clear())
    client.connect("closed", lambda _: factory.renew() if sessions else None)


def serve(
    variant: str,
    name: str,
    user: str,
    password: str,
    realm: str,
    device_time: Callable[[], float],
    port: int = 554,
    look: Look | None = None,
    card: Card | None = None,
    kept: str = "0",
) -> None:
    """Serve RTSP until the process ends; a `card` keeps the stream of subtype `kept`, and gives it back."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_service(str(port))
    server.set_auth(_auth(user, password, realm))
    factory = Factory(variant, name, device_time, look)
    _mount(server, PATH, factory)
    server.connect("client-connected", lambda _, client: _guard(factory, client))
    if card:
        player = playback.Factory(card)
        _mount(server, playback.PATH, player)
        server.connect("client-connected", lambda _, client: player.listen(client))
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    if card:
        factory.record(kept, card)
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)
    GLib.MainLoop().run()


def _mount(server: Any, path: str, factory: Any) -> None:  # noqa: ANN401
    permissions = GstRtspServer.RTSPPermissions()
    for what in ("access", "construct"):
        permissions.add_permission_for_role(ROLE, f"media.factory.{what}", True)
    factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)


def _auth(user: str, password: str, realm: str) -> Any:  # noqa: ANN401
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.set_realm(realm)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth.add_digest(user, password, token)
    return auth
