"""Sound towards a camera, by an RTSP session of its own (ONVIF Streaming Specification, back channel).

Its picture is set up too and thrown away: servers there are that end a session whose picture nobody takes.
"""

import asyncio
import secrets
import struct
from dataclasses import replace

from services.mts.chunk import DOLLAR, RTP
from services.mts.stream import Origin
from services.runtime import rtsp
from services.runtime.rtsp import Client, RtspError
from services.runtime.sdp import Description, Media

REQUIRE = "www.onvif.org/ver20/backchannel"
CODECS = {0: "PCMU", 8: "PCMA"}
RATE = 8000
SECONDS = 2.0
MOST_UNSENT = 16 * 1024
_UNKNOWN = (400, 405, 451, 501, 551)
"""What cameras answer to a requirement that they do not know."""


class NoBackChannelError(Exception):
    """The camera takes no sound that this release can send; the text says why."""


async def ask(origin: Origin) -> str:
    """The codec (PCMU or PCMA) that a camera takes; raises RtspError or NoBackChannelError."""
    async with _client(origin) as client:
        return CODECS[_payload((await _media(client))[1])]


class Line:
    """An open session; `lost` is done with the reason when the camera has ended it."""

    def __init__(self, client: Client, media: Media) -> None:
        loop = asyncio.get_running_loop()
        self.codec = CODECS[_payload(media)]
        self.lost: asyncio.Future[str] = loop.create_future()
        self.session_timeout = client.session_timeout
        self._payload = _payload(media)
        self._client = client
        self._channel = client.tracks[-1].channel
        self._sequence, self._ssrc = secrets.randbelow(1 << 16), secrets.randbits(32)
        self._transport, _ = client.hand_over(_Ear(self.lost))

    @classmethod
    async def open(cls, origin: Origin) -> "Line":
        """Start a session; raises RtspError or NoBackChannelError."""
        client = _client(origin)
        async with client:
            picture, media = await _media(client)
            if picture:
                await client.setup(picture)
            await client.setup(media)
            await client.play("")
            return cls(client, media)

    def send(self, sound: bytes, time: int, first: bool) -> bool:
        """Send G.711 of an RTP time; `first` after silence. False where the camera reads nothing."""
        if self._transport.get_write_buffer_size() > MOST_UNSENT:
            return False
        self._sequence = (self._sequence + 1) & 0xFFFF
        kind = self._payload | (0x80 if first else 0)
        packet = RTP.pack(0x80, kind, self._sequence, time & 0xFFFFFFFF, self._ssrc) + sound
        self._transport.write(struct.pack(">BBH", DOLLAR, self._channel, len(packet)) + packet)
        return True

    def keep_alive(self) -> None:
        """Tell the camera that the session goes on."""
        if not self._transport.is_closing():
            self._transport.write(self._client.keep_alive())

    def close(self) -> None:
        """End the session."""
        if not self._transport.is_closing():
            self._transport.write(self._client.teardown())
        self._transport.close()


class _Ear(asyncio.Protocol):
    """Reads what a camera says during a session, and keeps nothing of it."""

    def __init__(self, lost: asyncio.Future[str]) -> None:
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost.done():
            self._lost.set_result(str(exc) if exc else "The camera closed the connection.")


def asked(origin: Origin) -> Origin:
    """The address that offers it: Dahua's cameras do so where they are asked in ONVIF's words."""
    if "/cam/realmonitor?" not in origin.url or "proto=" in origin.url:
        return origin
    return replace(origin, url=f"{origin.url}&unicast=true&proto=Onvif")


def _client(given: Origin) -> Client:
    origin = asked(given)
    return Client(origin.url, origin.username, origin.password, timeout=SECONDS, require=REQUIRE)


async def _media(client: Client) -> tuple[Media | None, Media]:
    """The picture, if there is any, and the way back."""
    try:
        found = await client.describe()
    except RtspError as reason:
        if reason.status in _UNKNOWN:
            text = f"It does not know the ONVIF back channel ({reason.status})."
            raise NoBackChannelError(text) from reason
        raise
    picture = next((one for one in found.media if one.kind == "video"), None)
    return picture, _usable(found)


def _usable(description: Description) -> Media:
    """The track for sound from us: cameras mark it as the one that is `sendonly` for whoever reads this."""
    back = [one for one in description.media if one.kind == "audio" and one.direction == "sendonly"]
    usable = [one for one in back if set(CODECS) & set(one.payload_types)]
    if usable:
        return usable[0]
    if back:
        names = ", ".join(one.codec or str(one.payload_type) for one in back)
        raise NoBackChannelError(f"It takes {names}; this release sends G.711 alone.")
    raise NoBackChannelError("It offers no track for sound towards it.")


def _payload(media: Media) -> int:
    return next(one for one in media.payload_types if one in CODECS)


def refused(reason: RtspError) -> bool:
    """Whether the password was refused: it must not be tried again for a while."""
    return reason.code == rtsp.REFUSED
