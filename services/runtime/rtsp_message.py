"""RTSP/1.0 messages (RFC 2326 §4): cut from a byte stream, read, written; all sizes bounded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_HEAD = 16 * 1024
MAX_BODY = 256 * 1024
MAX_HEADERS = 64

REASONS = {
    200: "OK",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid In This State",
    457: "Invalid Range",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
}


class MalformedError(ValueError):
    """The bytes are not RTSP/1.0 or exceed a bound; the text says which."""


@dataclass(frozen=True)
class Message:
    """One request or response; header names are lower case, a repeated header keeps every value."""

    start: str
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        """First value of a header, or the default."""
        values = self.headers.get(name.lower())
        return values[0] if values else default

    @property
    def status(self) -> int:
        """Status code of a response; raises MalformedError for anything else."""
        words = self.start.split(" ", 2)
        if (
            len(words) < 2
            or not words[0].startswith("RTSP/1.")
            or not (words[1].isascii() and words[1].isdigit() and len(words[1]) <= 9)
        ):
            raise MalformedError(f"not an RTSP/1.0 status line: {self.start[:60]!r}")
        return int(words[1])

    @property
    def request(self) -> tuple[str, str]:
        """Method and URI of a request; raises MalformedError for anything else."""
        words = self.start.split(" ")
        if len(words) != 3 or not words[2].startswith("RTSP/") or not words[0].replace("_", "").isalpha():
            raise MalformedError(f"not an RTSP request line: {self.start[:60]!r}")
        return words[0], words[1]


def take(buffer: bytearray) -> Message | None:
    """Cut one whole message off the front of the buffer; None while it is incomplete.

    Raises MalformedError when the head or the body exceeds its bound or the text is not RTSP-shaped.
    """
    end = buffer.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end < 0:
        if len(buffer) >= MAX_HEAD:
            raise MalformedError(f"no end of the message head within {MAX_HEAD} bytes")
        if buffer and not _may_start(buffer):
            raise MalformedError(f"not RTSP: starts with {bytes(buffer[:16])!r}")
        return None
    start, headers = _head(bytes(buffer[:end]))
    length = _length(headers)
    if len(buffer) < end + 4 + length:
        return None
    body = bytes(buffer[end + 4 : end + 4 + length])
    del buffer[: end + 4 + length]
    return Message(start, headers, body)


def write(start: str, headers: Mapping[str, str | list[str]], body: bytes = b"") -> bytes:
    """Bytes of a message; raises MalformedError when a value would break out of its line.

    A list of values makes a header of each.
    """
    lines = [start]
    for name, values in headers.items():
        lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise MalformedError("a line break inside a header value")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _may_start(buffer: bytearray) -> bool:
    first = bytes(buffer[:16]).split(b" ")[0].split(b"/")[0]
    return first.isalpha() or first.replace(b"_", b"").isalpha()


def _head(raw: bytes) -> tuple[str, dict[str, list[str]]]:
    lines = raw.decode("utf-8", "replace").lstrip("\r\n").split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise MalformedError(f"more than {MAX_HEADERS} header lines")
    if "RTSP/" not in lines[0]:
        raise MalformedError(f"not RTSP: {lines[0][:60]!r}")
    headers: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedError(f"header line without a colon: {line[:60]!r}")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return lines[0], headers


def _length(headers: dict[str, list[str]]) -> int:
    text = headers.get("content-length", ["0"])[0]
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > MAX_BODY or len(text) > 9:
        raise MalformedError(f"Content-Length {text[:20]!r} is not a number up to {MAX_BODY}")
    return int(text)
