"""Addresses of devices as an administrator types them, checked and split."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from services.runtime import rtsp_trust
from services.runtime.errors import Problem

HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
LONGEST_URL = 512


@dataclass(frozen=True)
class Source:
    """An RTSP URL without userinfo, and its parts; username and password are "" if the URL had none."""

    url: str
    host: str
    port: int
    username: str
    password: str


def rtsp(text: str) -> Source:
    """Split an RTSP URL (RFC 7826 section 4.2); Problem 422 says what is wrong with it.

    The fragment of an rtsps URL says which certificate the camera must show (`services.runtime.rtsp_trust`).
    """
    text = text.strip()
    if len(text) > LONGEST_URL or not text.isprintable() or " " in text or not text.isascii():
        raise _bad("It is longer than 512 characters, or holds blanks or characters beyond ASCII.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _bad(f"{error}.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise _bad("It does not begin with rtsp:// or rtsps://.")
    trust = _trust(parts.scheme, parts.fragment)
    shown = host(parts.hostname or "")
    at = f"[{shown}]" if ":" in shown else shown
    netloc = f"{at}:{port}" if port is not None else at
    url = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, trust))
    number = port_number(DEFAULT_PORTS[parts.scheme] if port is None else port, "port")
    return Source(url, shown, number, unquote(parts.username or ""), unquote(parts.password or ""))


def _trust(scheme: str, fragment: str) -> str:
    if fragment and scheme != "rtsps":
        raise _bad("It holds a fragment (#), which only rtsps:// has.")
    try:
        return rtsp_trust.wanted(fragment)
    except ValueError as error:
        raise _bad(f"{str(error).capitalize()}.") from None


def host(text: str) -> str:
    """A host name or IP address in its usual form; Problem 422 for anything else."""
    text = text.strip().strip("[]").lower()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    # Four numbers that are no address are a typing error, never a name.
    if not HOST.fullmatch(text) or re.fullmatch(r"[0-9.]+", text):
        raise Problem(
            "device-host",
            "This host cannot be used.",
            "It is neither a host name nor an IP address.",
            "Enter the device's address as 192.0.2.10, 2001:db8::10 or camera.example.org.",
            status=422,
        )
    return text


def port_number(value: int, name: str) -> int:
    """A TCP port; Problem 422 outside 1 to 65535."""
    if not 1 <= value <= 65535:
        raise Problem(
            "device-port",
            f"The {name.replace('_', ' ')} cannot be used.",
            f"{value} is not between 1 and 65535.",
            "Enter the port the device listens on.",
            status=422,
        )
    return value


def _bad(why: str) -> Problem:
    return Problem(
        "device-url",
        "This RTSP URL cannot be used.",
        why,
        "Enter it as rtsp://192.0.2.10:554/path; user and password have their own fields.",
        status=422,
    )
