"""What a camera chose in the Transport header of its answer to SETUP (RFC 2326 §12.39)."""

from services.runtime.rtsp_error import GARBLED, RtspError


def channel(transport: str, wanted: int) -> int:
    """The interleaved channel of RTP, `wanted` where it names none; raises RtspError(garbled)."""
    if "RTP/AVP/TCP" not in transport.upper():
        raise RtspError(GARBLED, f"The camera does not send over TCP, it answered {transport[:80]!r}.")
    _, found, rest = transport.lower().partition("interleaved=")
    digits = rest.split(";")[0].split("-")[0].strip()
    if not found:
        return wanted
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3) or int(digits) > 254:
        raise RtspError(
            GARBLED, f"The camera chose interleaved channel {digits[:10]!r}, which does not exist."
        )
    return int(digits)


def server_port(transport: str) -> int:
    """Where its RTP comes from by UDP, 0 where it does not say; raises RtspError(garbled)."""
    if "TCP" in transport.upper() or "multicast" in transport.lower():
        raise RtspError(GARBLED, f"The camera does not send over UDP, it answered {transport[:80]!r}.")
    _, _, rest = transport.lower().partition("server_port=")
    digits = rest.split(";")[0].split("-")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and int(digits[:6]) < 65535 else 0
