"""One viewer by WebRTC: its connection, and the senders of picture and sound."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from aiortc import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCRtpSender
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)

from services.mts.whep import offer
from services.mts.whep.certificate import Certificate
from services.mts.whep.ice import Doors
from services.mts.whep.media import Feed, Track
from services.mts.whep.offer import MID, Offer, Section

LOG = logging.getLogger(__name__)

CONNECT_SECONDS = 20.0
_LOOK_SECONDS = 0.5


class Session:
    """Lives until its browser leaves, is not heard of any more, or `close` is called."""

    def __init__(self, doors: Doors, certificate: Certificate, order: dict[str, Any]) -> None:
        """`order`: what `wire.OPEN` has; raises Problem for an offer that cannot be answered."""
        self._offer = offer.read(order["offer"], order["tracks"])
        self._doors, self._order = doors, order
        self._way = doors.add()
        self._dtls = RTCDtlsTransport(self._way, [certificate])  # type: ignore[arg-type]
        self._dtls._set_role("server")
        self._senders: dict[str, tuple[RTCRtpSender, Section]] = {}
        video, sound = self._track("video", 90_000), self._track("audio", 0)
        if video is None:
            raise AssertionError
        self._feed = Feed(order["tracks"], video, sound)
        self._ended = False

    def answer(self) -> str:
        """The SDP answer."""
        port = int(self._order["port"])
        places = [(str(host), port) for host in self._order["hosts"]]
        prints = [(one.algorithm, one.value) for one in self._dtls.getLocalParameters().fingerprints]
        ssrcs = {kind: sender._ssrc for kind, (sender, _) in self._senders.items()}
        return offer.answer(self._offer, (self._way.name, self._way.password), prints[:1], ssrcs, places)

    def take(self, data: bytes, earlier: bool) -> None:
        """One chunk of the camera."""
        self._feed.take(data, earlier)

    def close(self) -> None:
        self._ended = True

    async def run(self, connected: Callable[[], None]) -> str:
        """Connect, tell so, and stay until the end; returns why it ended, "" where `close` asked for it."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._dtls.start(_parameters(self._offer))
            if self._dtls.state != "connected":
                return "Its encryption could not be agreed on."
            for sender, section in self._senders.values():
                await sender.send(_sending(section, sender._ssrc))
            connected()
            return await self._watched()
        except (TimeoutError, ConnectionError):
            return f"No way to it was found within {CONNECT_SECONDS:.0f} s."
        finally:
            await self._stop()

    async def _watched(self) -> str:
        while not self._ended:
            if self._dtls.state != "connected":
                return "It hung up."
            if self._way.dead:
                return "Nothing was heard of it any more."
            await asyncio.sleep(_LOOK_SECONDS)
        return ""

    async def _stop(self) -> None:
        for sender, _ in self._senders.values():
            if sender.track:
                sender.track.stop()
            with contextlib.suppress(Exception):
                await sender.stop()
        with contextlib.suppress(Exception):
            await self._dtls.stop()
        self._doors.remove(self._way)

    def _track(self, kind: str, rate: int) -> Track | None:
        section = self._offer.accepted(kind)
        if section is None or section.codec is None:
            return None
        track = Track(kind, rate or section.codec.clockRate)
        self._senders[kind] = RTCRtpSender(track, self._dtls), section
        return track


def _parameters(offered: Offer) -> RTCDtlsParameters:
    return RTCDtlsParameters(
        [RTCDtlsFingerprint(name, value) for name, value in offered.fingerprints], "client"
    )


def _sending(section: Section, ssrc: int) -> RTCRtpSendParameters:
    number = section.mid_extension
    extensions = [RTCRtpHeaderExtensionParameters(id=number, uri=MID)] if number else []
    codecs = [section.codec] if section.codec else []
    rtcp = RTCRtcpParameters(cname="dss", mux=True, ssrc=ssrc)
    return RTCRtpSendParameters(codecs=codecs, headerExtensions=extensions, muxId=section.mid, rtcp=rtcp)
