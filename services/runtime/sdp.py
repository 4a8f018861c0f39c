"""Session descriptions of RTSP servers read into tracks (RFC 8866, 6184 §8, 7798 §7, 3640 §4, 7587)."""

import base64
import binascii
from dataclasses import dataclass, field, replace
from itertools import pairwise

MAX_LINES = 1000
MAX_MEDIA = 16
STATIC = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 26: ("JPEG", 90000, 1)}


class SdpError(ValueError):
    """The text is not a usable session description; the message says why."""


@dataclass(frozen=True)
class Media:
    """One m= section. Codec is upper case as in rtpmap: H264, H265, MPEG4-GENERIC, PCMU, PCMA, OPUS, …

    It is that of the first payload type; `payload_types` has all of them.
    """

    kind: str
    payload_type: int
    codec: str
    clock_rate: int
    channels: int = 1
    fmtp: dict[str, str] = field(default_factory=dict)
    control: str = ""
    direction: str = ""
    payload_types: tuple[int, ...] = ()

    @property
    def parameter_sets(self) -> list[bytes]:
        """SPS, PPS (H.264) or VPS, SPS, PPS (H.265) NAL units; empty when they only come in-band."""
        if self.codec == "H264":
            return _nals(self.fmtp.get("sprop-parameter-sets", ""))
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        return (
            [nal for name in names for nal in _nals(self.fmtp.get(name, ""))] if self.codec == "H265" else []
        )

    @property
    def audio_config(self) -> bytes:
        """AudioSpecificConfig (ISO/IEC 14496-3 §1.6) of an AAC track; empty for others."""
        try:
            return bytes.fromhex(self.fmtp.get("config", "")) if self.codec == "MPEG4-GENERIC" else b""
        except ValueError:
            return b""


@dataclass(frozen=True)
class Description:
    """A whole session: its tracks in the order of the text, and the aggregate control URL as written."""

    media: list[Media]
    control: str = ""
    name: str = ""

    def first(self, kind: str, codecs: tuple[str, ...]) -> Media | None:
        """First active track of a kind ('video', 'audio') in one of the codecs.

        Talk-back tracks appear only for a client that requires them, so `sendonly` is not filtered:
        cameras use the word for either direction.
        """
        wanted = (m for m in self.media if m.kind == kind and m.codec in codecs and m.direction != "inactive")
        return next(wanted, None)


def parse(text: str) -> Description:
    """Read a session description; raises SdpError with the reason."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    if len(lines) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines")
    pairs = [(line[0], line[2:]) for line in lines if len(line) >= 2 and line[1] == "="]
    if not pairs or pairs[0] != ("v", "0"):
        raise SdpError("does not start with v=0")
    starts = [i for i, (kind, _) in enumerate(pairs) if kind == "m"]
    if len(starts) > MAX_MEDIA:
        raise SdpError(f"more than {MAX_MEDIA} media sections")
    head = pairs[: starts[0]] if starts else pairs
    media = [_media(pairs[a:b]) for a, b in pairwise([*starts, len(pairs)])]
    name = next((value for kind, value in head if kind == "s"), "")
    return Description(media, _attribute(head, "control"), name)


def _attribute(pairs: list[tuple[str, str]], name: str) -> str:
    prefix = name + ":"
    return next((v[len(prefix) :].strip() for k, v in pairs if k == "a" and v.startswith(prefix)), "")


def _media(pairs: list[tuple[str, str]]) -> Media:
    words = pairs[0][1].split()
    if len(words) < 4 or not 0 <= _number(words[3]) <= 127:
        # A non-RTP section (application/…, "*") is a track nobody sets up, not an error of the session.
        return Media(words[0] if words else "", -1, "", 0)
    payload = int(words[3])
    codec, rate, channels = STATIC.get(payload, ("", 0, 1))
    control, types = _attribute(pairs, "control"), tuple(_number(word) for word in words[3:])
    media = Media(words[0].lower(), payload, codec, rate, channels, control=control, payload_types=types)
    for kind, value in pairs[1:]:
        if kind == "a":
            media = _with_attribute(media, value)
    return media


def _with_attribute(media: Media, value: str) -> Media:
    if value in ("sendonly", "recvonly", "sendrecv", "inactive"):
        return replace(media, direction=value)
    name, _, rest = value.partition(":")
    payload, _, detail = rest.strip().partition(" ")
    if payload != str(media.payload_type):
        return media
    if name == "rtpmap":
        return _with_rtpmap(media, detail.strip())
    if name == "fmtp":
        return replace(media, fmtp=_fmtp(detail))
    return media


def _with_rtpmap(media: Media, detail: str) -> Media:
    parts = detail.split("/")
    if len(parts) < 2 or not 0 < _number(parts[1]) < 2**31:
        raise SdpError(f"rtpmap without a clock rate: {detail[:60]!r}")
    channels = int(parts[2][:3]) if len(parts) > 2 and parts[2].isascii() and parts[2].isdigit() else 1
    return replace(media, codec=parts[0].upper(), clock_rate=int(parts[1]), channels=channels)


def _number(text: str) -> int:
    """A decimal number; -1 for anything else, and for more digits than any field here has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1


def _fmtp(detail: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in detail.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _nals(text: str) -> list[bytes]:
    """Base64 NAL units; a broken one is left out, because the stream repeats them in-band."""
    found = []
    for part in text.split(","):
        try:
            found.append(base64.b64decode(part.strip() + "=" * (-len(part.strip()) % 4), validate=True))
        except (binascii.Error, ValueError):
            continue
    return [nal for nal in found if nal]
