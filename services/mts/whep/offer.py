"""What a browser offers, and what of it is taken: one picture, and one sound beside it (RFC 9725)."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription

from services.runtime.errors import Problem

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
MAX_SECTIONS = 16
SOUNDS = {"OPUS": ("audio/opus", 48_000), "PCMU": ("audio/pcmu", 8000), "PCMA": ("audio/pcma", 8000)}
"""What both cameras and browsers have, by the name of the camera's side."""
_PROFILES = ("64", "4d", "42")
"""profile_idc of High, Main and Baseline: what decodes one decodes those behind it."""
_WORD = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True)
class Section:
    """One m= section of the offer; `codec` None where it is declined."""

    kind: str
    protocol: str
    first: str
    mid: str
    codec: RTCRtpCodecParameters | None = None
    mid_extension: int | None = None


@dataclass(frozen=True)
class Offer:
    """What of an offer counts; `fingerprints` are pairs of algorithm and value."""

    sections: list[Section]
    fingerprints: list[tuple[str, str]]

    def accepted(self, kind: str) -> Section | None:
        """The section of that kind that is answered."""
        return next((one for one in self.sections if one.kind == kind and one.codec), None)


def read(text: str, tracks: list[dict[str, Any]]) -> Offer:
    """Match an offer with a camera's tracks (`wire.OPEN`); raises Problem 400 or 406."""
    try:
        offered = SessionDescription.parse(text)
    except Exception as reason:  # the parser is not made for garbage and says so in many ways
        raise _unreadable(f"It cannot be read ({type(reason).__name__}).") from reason
    if not 0 < len(offered.media) <= MAX_SECTIONS:
        raise _unreadable(f"It has {len(offered.media)} media sections; 1 to {MAX_SECTIONS} can be.")
    prints = _fingerprints(offered.media)
    sections: list[Section] = []
    for media in offered.media:
        taken = any(one.kind == media.kind and one.codec for one in sections)
        sections.append(_section(media, None if taken else _codec(media, tracks)))
    offer = Offer(sections, prints)
    if offer.accepted("video") is None:
        raise _no_picture(offered.media)
    return offer


def _fingerprints(media: list[MediaDescription]) -> list[tuple[str, str]]:
    prints = next((one.dtls.fingerprints for one in media if one.dtls and one.dtls.fingerprints), [])
    if not prints:
        raise _unreadable("It has no fingerprint of a certificate.")
    return [(one.algorithm, one.value) for one in prints]


def _section(media: MediaDescription, codec: RTCRtpCodecParameters | None) -> Section:
    mid = str(media.rtp.muxId or "")
    if not _WORD.fullmatch(mid or "0"):
        raise _unreadable("The name of a media section is none.")
    extension = next((one.id for one in media.rtp.headerExtensions if one.uri == MID), None)
    first = str(media.fmt[0]) if media.fmt else "0"
    return Section(media.kind, media.profile, first, mid, codec, extension if codec and mid else None)


def _codec(media: MediaDescription, tracks: list[dict[str, Any]]) -> RTCRtpCodecParameters | None:
    track = next((one for one in tracks if one["kind"] == media.kind), None)
    if track is None or not media.port or media.direction not in ("recvonly", "sendrecv"):
        return None
    if media.kind == "video":
        return _h264(media.rtp.codecs, track["sets"])
    mime, rate = SOUNDS.get(track["codec"], ("", 0))
    return next(
        (one for one in media.rtp.codecs if (one.mimeType.lower(), one.clockRate) == (mime, rate)), None
    )


def _h264(codecs: list[RTCRtpCodecParameters], sets: list[str]) -> RTCRtpCodecParameters | None:
    """The offered H.264 that comes nearest to what the camera sends, in packetisation mode 1."""
    able = [
        one for one in codecs
        if one.mimeType.lower() == "video/h264" and str(one.parameters.get("packetization-mode", 0)) == "1"
    ]  # fmt: skip
    camera = next((text[2:4].lower() for text in sets if int(text[:2], 16) & 31 == 7), "42")
    order = [camera, *_PROFILES]
    return min(
        able,
        key=lambda one: _rank(str(one.parameters.get("profile-level-id", "42e01f")), order),
        default=None,
    )


def _rank(level: str, order: list[str]) -> int:
    profile = level[:2].lower()
    return order.index(profile) if profile in order else len(order)


def answer(
    offer: Offer,
    way: tuple[str, str],
    prints: list[tuple[str, str]],
    ssrcs: dict[str, int],
    places: list[tuple[str, int]],
) -> str:
    """The SDP answer. `way`: ICE name and password; `ssrcs` by kind; `places`: where we are, best first."""
    bundle = " ".join(one.mid for one in offer.sections if one.codec and one.mid)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite", "a=msid-semantic: WMS *"]
    lines += [f"a=group:BUNDLE {bundle}"] if bundle else []
    for section in offer.sections:
        if section.codec is None:
            lines += _declined(section)
        else:
            lines += _taken(section, section.codec, ssrcs[section.kind], places[0])
            lines += [f"a=ice-ufrag:{way[0]}", f"a=ice-pwd:{way[1]}", "a=setup:passive"]
            lines += [f"a=fingerprint:{name} {value}" for name, value in prints]
            lines += [*_candidates(places), "a=end-of-candidates"]
    return "\r\n".join(lines) + "\r\n"


def _declined(section: Section) -> list[str]:
    mid = [f"a=mid:{section.mid}"] if section.mid else []
    return [f"m={section.kind} 0 {section.protocol} {section.first}", "c=IN IP4 0.0.0.0", *mid, "a=inactive"]


def _taken(section: Section, codec: RTCRtpCodecParameters, ssrc: int, place: tuple[str, int]) -> list[str]:
    number, stereo = codec.payloadType, f"/{codec.channels}" if (codec.channels or 1) > 1 else ""
    options = ";".join(f"{name}={value}" for name, value in codec.parameters.items() if value is not None)
    family = "IP6" if ":" in place[0] else "IP4"
    return [
        f"m={section.kind} {place[1]} {section.protocol} {number}", f"c=IN {family} {place[0]}",
        *([f"a=mid:{section.mid}"] if section.mid else []), "a=sendonly", "a=rtcp-mux",
        f"a=rtpmap:{number} {codec.name}/{codec.clockRate}{stereo}",
        *([f"a=fmtp:{number} {options}"] if options else []),
        *([f"a=rtcp-fb:{number} nack", f"a=rtcp-fb:{number} nack pli"] if section.kind == "video" else []),
        *([f"a=extmap:{section.mid_extension} {MID}"] if section.mid_extension else []),
        f"a=msid:dss {section.kind}", f"a=ssrc:{ssrc} cname:dss",
    ]  # fmt: skip


def _candidates(places: list[tuple[str, int]]) -> list[str]:
    """Each address once, with falling priority (RFC 8445 §5.1.2)."""
    found = []
    for number, (host, port) in enumerate(dict.fromkeys(places)):
        priority = (126 << 24) + ((65535 - number) << 8) + 255
        address = ipaddress.ip_address(host)
        found.append(f"a=candidate:{number + 1} 1 udp {priority} {address} {port} typ host")
    return found


def _unreadable(why: str) -> Problem:
    remedy = "Offer a session as a WHEP player does (RFC 9725)."
    return Problem("offer-unreadable", "The offer was refused.", why, remedy, status=400)


def _no_picture(media: list[MediaDescription]) -> Problem:
    names = sorted(
        {one.name for part in media if part.kind == "video" for one in part.rtp.codecs if one.name != "rtx"}
    )
    why = (
        f"The camera sends H.264, and the offer takes {', '.join(names) or 'no video'} in no form that fits."
    )
    remedy = "Offer to receive H.264 in packetisation mode 1, or open the picture by WebSocket."
    return Problem("offer-without-codec", "There is no picture by WebRTC.", why, remedy, status=406)
