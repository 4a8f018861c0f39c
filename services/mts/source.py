"""Keeps one stream flowing: connect, play, watch over it, come back after a loss."""

import asyncio
import logging
import random
import struct
from dataclasses import dataclass, field
from time import monotonic

from services.media.interleaved import packets
from services.mts import depay
from services.mts.alone import SoundIntake, alone
from services.mts.chunk import DOLLAR, RTP, Chunk
from services.mts.datagrams import Control, Datagrams
from services.mts.intake import Intake, Tail
from services.mts.stream import Origin, Stream
from services.runtime import rtsp
from services.runtime.rtsp import Client, RtspError, Track
from services.runtime.rtsp_message import Message
from services.runtime.sdp import Description, Media

LOG = logging.getLogger(__name__)

VIDEO = ("H264", "H265")
AUDIO = ("MPEG4-GENERIC", "PCMU", "PCMA", "OPUS", "L16")
_CHECK_SECONDS = 1.0
_UNSUPPORTED_TRANSPORT = 461


@dataclass
class Patience:
    """How long to wait for what, in seconds."""

    handshake: float = 5.0
    stall: float = 5.0
    first_retry: float = 0.5
    last_retry: float = 15.0
    watched_retry: float = 4.0
    refused: float = 600.0


@dataclass
class Refusals:
    """Passwords that a device has refused: none is tried again for a while, whichever stream wants it."""

    until: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def left(self, origin: Origin) -> float:
        """Seconds before this password may be tried again."""
        return self.until.get(_identity(origin), 0.0) - monotonic()

    def add(self, origin: Origin, seconds: float) -> None:
        now = monotonic()
        self.until = {key: until for key, until in self.until.items() if until > now}
        self.until[_identity(origin)] = now + seconds


def _identity(origin: Origin) -> tuple[str, str, str]:
    return origin.device, origin.username, origin.password


class Source:
    """Feeds a Stream from its camera until cancelled."""

    def __init__(self, stream: Stream, refusals: Refusals, patience: Patience) -> None:
        self._stream = stream
        self._refusals = refusals
        self._patience = patience
        self._client: Client | None = None
        self._transport: asyncio.Transport | None = None
        self._datagrams: Datagrams | None = None
        self._renewed = False

    async def run(self) -> None:
        """Connect again and again, ever more slowly while nothing comes."""
        failures = 0
        while True:
            before = self._stream.frames
            try:
                await self._once()
            except RtspError as reason:
                self._tell(reason.code, str(reason))
            except Exception as reason:
                LOG.exception("stream %s/%s failed", *self._stream.key)
                self._tell(rtsp.GARBLED, f"The stream could not be handled: {reason!r}.")
            failures = 0 if self._stream.frames > before else failures + 1
            await self._rest(self._pause(failures))

    async def _once(self) -> None:
        origin = self._stream.origin
        if (left := self._refusals.left(origin)) > 0:
            text = f"The camera refused the user name or password; tried again in {left / 60:.0f} min."
            raise RtspError(rtsp.REFUSED, text)
        client = Client(origin.url, origin.username, origin.password, timeout=self._patience.handshake)
        try:
            async with client:
                await self._handshake(client)
                intake = await self._take_over(client)
            await self._watch(client, intake)
        finally:
            self._let_go()

    async def _handshake(self, client: Client) -> None:
        try:
            await client.options()
            self._datagrams = await _set_up(client, await client.describe())
            await client.play()
        except RtspError as reason:
            if reason.code == rtsp.REFUSED:
                self._refusals.add(self._stream.origin, self._patience.refused)
            raise

    async def _take_over(self, client: Client) -> Intake:
        tails = self._stream.playing(client.tracks)
        intake = self._intake(client.tracks[0], tails)
        self._client = client
        LOG.info("stream %s/%s plays %s", *self._stream.key, client.tracks[0].media.codec)
        if self._datagrams:
            control = Control(self._answered, intake.connection_lost)
            self._transport, early = client.hand_over(control)
            control.data_received(early)
            await self._datagrams.begin(intake.push)
        else:
            self._transport, early = client.hand_over(intake)
            self._stream.hurry = intake.hurry
            intake.begin(self._transport, early)
        return intake

    def _intake(self, first: Track, tails: dict[int, Tail]) -> Intake:
        if alone([first]):
            return SoundIntake(first, self._stream.publish, self._answered, tails)
        kind = depay.h265_kind if first.media.codec == "H265" else depay.h264_kind
        return Intake(first.channel, kind, self._stream.publish, self._answered, tails)

    async def _watch(self, client: Client, intake: Intake) -> None:
        seen, seen_at = intake.bytes, monotonic()
        asked_at = monotonic()
        every = min(client.session_timeout / 2, 30.0)
        while not intake.lost.done():
            await asyncio.wait([intake.lost], timeout=_CHECK_SECONDS)
            now = monotonic()
            if self._stream.calm:
                intake.settle()
            if intake.bytes != seen:
                seen, seen_at = intake.bytes, now
            elif now - seen_at > self._patience.stall:
                raise RtspError(
                    rtsp.UNREACHABLE, f"No {self._stream.wanted} came for {self._patience.stall:g} s."
                )
            if now - asked_at > every:
                asked_at = now
                self._renewed = False
                self._send(client.keep_alive())
                self._report(client.tracks[0], intake.last)
        raise RtspError(rtsp.UNREACHABLE, f"The camera was lost. {intake.lost.result()}")

    def _report(self, video: Track, last: Chunk | None) -> None:
        report = _receiver_report(video, last)
        if self._datagrams and report:
            self._datagrams.report(video.channel, report)
        elif report:
            self._send(struct.pack(">BBH", DOLLAR, video.channel + 1, len(report)) + report)

    def _answered(self, message: Message) -> None:
        """A reply to a keep-alive: only a nonce that ran out needs an answer, once."""
        if self._client and message.start.startswith("RTSP/") and message.status == 401 and not self._renewed:
            self._renewed = True
            self._client.renew(message)
            self._send(self._client.keep_alive())

    def _send(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def _let_go(self) -> None:
        if self._transport and self._client:
            self._send(self._client.teardown())
            self._transport.close()
        if self._datagrams:
            self._datagrams.close()
        self._transport = self._client = self._datagrams = None

    def _tell(self, state: str, reason: str) -> None:
        if (state, reason) != (self._stream.state, self._stream.reason):
            LOG.warning("stream %s/%s is %s: %s", *self._stream.key, state, reason)
        self._stream.lost(state, reason)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next try, a shorter time while somebody watches."""
        began = monotonic()
        while (left := began + self._patient(seconds) - monotonic()) > 0:
            await asyncio.sleep(min(left, _CHECK_SECONDS))

    def _patient(self, seconds: float) -> float:
        return min(seconds, self._patience.watched_retry) if self._stream.viewers else seconds

    def _pause(self, failures: int) -> float:
        longest = min(self._patience.first_retry * float(1 << min(failures, 10)), self._patience.last_retry)
        return longest * random.uniform(0.8, 1.2)  # noqa: S311  spreads retries, keeps no secret


async def _set_up(client: Client, description: Description) -> Datagrams | None:
    """Ask for picture and sound on the connection, or by UDP where the camera refuses that (461).

    Sound alone will do only where there is no picture: one of another codec is told, not left out.
    """
    audio = description.first("audio", AUDIO)
    video = description.first("video", VIDEO)
    pictures = any(one.kind == "video" and one.direction != "inactive" for one in description.media)
    first = video or (None if pictures else audio)
    if first is None:
        found = ", ".join(m.codec or m.kind for m in description.media) or "nothing"
        raise RtspError(rtsp.GARBLED, f"The camera offers no H.264 or H.265 video, but {found}.")
    datagrams = await _first(client, first)
    if audio and audio is not first:
        try:
            await (datagrams.setup(client, audio) if datagrams else client.setup(audio))
        except RtspError as reason:
            LOG.info("audio is left out: %s", reason)
    return datagrams


async def _first(client: Client, media: Media) -> Datagrams | None:
    try:
        await client.setup(media)
        return None
    except RtspError as reason:
        if reason.status != _UNSUPPORTED_TRANSPORT:
            raise
    datagrams = Datagrams()
    try:
        await datagrams.setup(client, media)
    except BaseException:
        datagrams.close()
        raise
    return datagrams


def _receiver_report(track: Track, last: Chunk | None) -> bytes:
    """An RTCP receiver report (RFC 3550 §6.4.2) that tells of no loss; empty before anything came."""
    if last is None:
        return b""
    sources = [p for channel, p in packets(last.data) if channel == track.channel and len(p) >= 12]
    _, _, sequence, _, ssrc = RTP.unpack_from(sources[-1])
    return struct.pack(">BBHIIIIIII", 0x81, 201, 7, 0x445353, ssrc, 0, sequence, 0, 0, 0)
