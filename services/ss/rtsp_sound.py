"""Sound for RTSP players beside the pictures: AAC (RFC 3640, AAC-hbr), Opus (RFC 7587), G.711 (RFC 3551)."""

from collections import deque

from services.media.packets import MOST, Packets, Payload
from services.runtime.sdp import Media
from services.ss.axis import Axis
from services.ss.entry import SECOND
from services.ss.samples import Heard
from services.ss.sound import Audio
from services.ss.video import CLOCK_RATE

DYNAMIC = 97
STATIC = {"PCMU": 0, "PCMA": 8}
SPEED = 1.0
"""At any other speed there is no sound."""
_NEAR_SECONDS = 0.05
_LONGEST_AAC = 8191
_HBR = {"streamtype": "5", "profile-level-id": "1", "mode": "AAC-hbr", "sizelength": "13",
        "indexlength": "3", "indexdeltalength": "3"}  # fmt: skip


def media(heard: Audio) -> Media:
    """The track of a session description."""
    kind = STATIC.get(heard.codec, DYNAMIC)
    if heard.codec == "MPEG4-GENERIC":
        told = _HBR | {"config": heard.config.hex()}
        return Media("audio", kind, heard.codec, heard.rate, heard.channels, fmtp=told)
    if heard.codec == "OPUS":
        # RFC 7587 §7: always two, whatever is inside.
        return Media(
            "audio", kind, heard.codec, heard.rate, 2, fmtp={"sprop-stereo": str(heard.channels - 1)}
        )
    return Media("audio", kind, heard.codec, heard.rate)


class SoundLine:
    """The sound of one session: holds what of a GOP is not due yet, and numbers its packets."""

    def __init__(self, heard: Audio, channel: int = 0) -> None:
        self.heard = heard
        self.packets = Packets(False, STATIC.get(heard.codec, DYNAMIC), channel)
        self._waiting: deque[tuple[int, int, bytes]] = deque()
        self._next = self._begin = -1

    def begin(self) -> None:
        """Another order: what waited is not wanted any more."""
        self._waiting.clear()
        self._next = -1

    def take(self, found: Heard, base: int, axis: Axis) -> None:
        """Sound of the GOP that begins at `base`; what lies before the asked moment is left out."""
        tick, rate = found.tick, self.heard.rate
        for lasts, sample in found.samples:
            place = base + tick * CLOCK_RATE // rate - found.begin
            if place >= axis.cut:
                self._waiting.append((axis.show(place), lasts, bytes(sample)))
            tick += lasts

    def until(self, ticks: int) -> bytes:
        """The packets of all that is due at a time of the session, ticks of 90 kHz."""
        parts = []
        while self._waiting and self._waiting[0][0] <= ticks:
            due, lasts, sample = self._waiting.popleft()
            wanted = due * self.heard.rate // CLOCK_RATE
            if self._next < 0 or abs(wanted - self._next) > _NEAR_SECONDS * self.heard.rate:
                self._next = wanted
            parts.append(self.packets.unit(self._payloads(sample), self._next))
            self._next += lasts
        return b"".join(parts)

    def report(self, at: int, ticks: int, bye: bool = False) -> bytes:
        """Sender report: what came at `at`, microseconds since 1970, is heard at `ticks` of 90 kHz.

        Pictures come a little early or late each, which nobody sees; sound that follows them would be heard.
        """
        begin = at - ticks * SECOND // CLOCK_RATE
        if abs(begin - self._begin) > _NEAR_SECONDS * SECOND:
            self._begin = begin
        at = self._begin + ticks * SECOND // CLOCK_RATE
        return self.packets.report(at, ticks * self.heard.rate // CLOCK_RATE, bye)

    def time(self, ticks: int) -> int:
        """The RTP timestamp of a time of the session, ticks of 90 kHz."""
        return self.packets.time(ticks * self.heard.rate // CLOCK_RATE)

    def _payloads(self, sample: bytes) -> list[Payload]:
        if self.heard.codec != "MPEG4-GENERIC":
            return [(b"", sample)]
        if len(sample) > _LONGEST_AAC:
            return []
        head = b"\x00\x10" + (len(sample) << 3).to_bytes(2, "big")
        size = MOST - len(head)
        return [(head, sample[start : start + size]) for start in range(0, len(sample), size)]
