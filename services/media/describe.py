"""The session description a player gets (RFC 8866): tracks under our control URLs."""

from services.runtime.rtsp import Track
from services.runtime.sdp import Media


def describe(tracks: list[Track], name: str, attributes: tuple[str, ...] = ()) -> bytes:
    """SDP of the tracks in their order, track n controlled at `trackID=n`, with attributes of the session."""
    head = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", f"s={name}", "t=0 0", "a=control:*"]
    head += [f"a={one}" for one in attributes]
    lines = [line for number, track in enumerate(tracks) for line in _media(track.media, number)]
    return "\r\n".join([*head, *lines, ""]).encode()


def _media(media: Media, number: int) -> list[str]:
    channels = f"/{media.channels}" if media.channels > 1 else ""
    lines = [
        f"m={media.kind} 0 RTP/AVP {media.payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a=rtpmap:{media.payload_type} {media.codec}/{media.clock_rate}{channels}",
    ]
    if media.fmtp:
        parameters = ";".join(f"{name}={value}" for name, value in media.fmtp.items())
        lines.append(f"a=fmtp:{media.payload_type} {parameters}")
    return [*lines, f"a=control:trackID={number}"]
