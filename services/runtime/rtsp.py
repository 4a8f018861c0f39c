"""RTSP/1.0 client handshake (RFC 2326) over TCP: describe a camera, or start it for a data plane.

Media comes interleaved on the same connection (§10.12), or by UDP where that is asked for. Redirects are
refused, because they would carry the device's password to a host nobody entered. A refused password is sent
once per connection, never again.
"""

import asyncio
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urljoin, urlsplit

from services.runtime import rtsp_message, rtsp_transport, rtsp_trust, sdp
from services.runtime.rtsp_auth import Authoriser
from services.runtime.rtsp_error import GARBLED, NOT_FOUND, REFUSED, UNREACHABLE, RtspError
from services.runtime.rtsp_message import MalformedError, Message

__all__ = [
    "GARBLED", "NOT_FOUND", "REFUSED", "UNREACHABLE", "Address", "Client", "RtspError", "Track", "address",
    "probe",
]  # fmt: skip

_READ = 64 * 1024
_MAX_WAITING = rtsp_message.MAX_HEAD + rtsp_message.MAX_BODY + 4 * 65536
_AGENT = "dss"
_MAX_CHALLENGES = 3
_REQUIRING = ("DESCRIBE", "SETUP", "PLAY")


@dataclass(frozen=True)
class Address:
    """A camera URL taken apart: `url` has no user information and is what goes on the wire.

    `trust` is what `rtsp_trust` makes of its fragment.
    """

    url: str
    host: str
    port: int
    tls: bool
    username: str
    password: str
    trust: str = ""


def address(url: str) -> Address:
    """Read an rtsp:// or rtsps:// URL; raises RtspError(garbled) for anything else."""
    try:
        parts = urlsplit(url)
        port, host, trust = parts.port, parts.hostname, rtsp_trust.wanted(parts.fragment)
    except ValueError as reason:
        raise RtspError(GARBLED, f"The address {url[:200]!r} is not a URL: {reason}.") from reason
    if parts.scheme not in ("rtsp", "rtsps") or not host or any(c <= " " or c == "\x7f" for c in url):
        raise RtspError(GARBLED, "The address must look like rtsp://host:554/path, without spaces.")
    tls = parts.scheme == "rtsps"
    clean = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    user, secret = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(clean, host, port or (322 if tls else 554), tls, user, secret, trust)


@dataclass(frozen=True)
class Track:
    """One track that is set up; `channel` carries its RTP, `channel + 1` its RTCP."""

    media: sdp.Media
    channel: int


class _Inbox(asyncio.Protocol):
    """Collects what the server sends during the handshake and cuts it into messages."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.error: Exception | None = None
        self.waiter: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > _MAX_WAITING:
            self.connection_lost(MalformedError(f"more than {_MAX_WAITING} bytes without an answer"))
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = self.error or exc or ConnectionResetError("the camera closed the connection")
        self._wake()

    async def message(self) -> Message:
        """Next message; media packets in between are dropped, as nobody watches yet."""
        while True:
            self._drop_media()
            if self.buffer[:1] != b"$" and (message := rtsp_message.take(self.buffer)):
                return message
            if self.error:
                raise self.error
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter

    def _wake(self) -> None:
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def _drop_media(self) -> None:
        while self.buffer[:1] == b"$" and len(self.buffer) >= 4:
            size = 4 + int.from_bytes(self.buffer[2:4], "big")
            if len(self.buffer) < size:
                return
            del self.buffer[:size]


class Client:
    """One connection to one camera. Use as `async with`; every method raises RtspError."""

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        *,
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        require: str = "",
    ) -> None:
        """`require`: a feature that the camera must have for this session (RFC 2326 §12.32)."""
        self._require = require
        self.address = address(url)
        self.session = ""
        self.session_timeout = 60.0
        self.methods: set[str] = set()
        self.tracks: list[Track] = []
        self._base = self._aggregate = self.address.url
        self._timeout = timeout
        self._tls = tls
        self._sequence = 0
        self._proved = False
        self._inbox = _Inbox()
        self._transport: asyncio.Transport | None = None
        self._authoriser = Authoriser(username or self.address.username, password or self.address.password)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def connect(self) -> None:
        """Open the connection, at most `timeout` seconds."""
        loop = asyncio.get_running_loop()
        where = f"{self.address.host}:{self.address.port}"
        try:
            trusted = self._tls or rtsp_trust.context(self.address.trust)
            context = trusted if self.address.tls else None
            async with asyncio.timeout(self._timeout):
                self._transport, _ = await loop.create_connection(
                    lambda: self._inbox, self.address.host, self.address.port, ssl=context
                )
        except TimeoutError as reason:
            text = f"{where} did not accept a connection within {self._timeout:g} s."
            raise RtspError(UNREACHABLE, text) from reason
        except ssl.SSLCertVerificationError as reason:
            raise _unproven(where, reason.verify_message) from reason
        except ssl.SSLError as reason:
            raise RtspError(GARBLED, f"{where} does not speak TLS as asked: {reason.reason}.") from reason
        except (OSError, UnicodeError) as reason:
            raise RtspError(UNREACHABLE, f"{where} cannot be reached: {reason}.") from reason
        if context and (why := rtsp_trust.proven(self.address.trust, _certificate(self._transport))):
            self.close()
            raise _unproven(where, why)

    def close(self) -> None:
        """Drop the connection, unless it was handed over."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    async def request(self, method: str, uri: str = "", headers: dict[str, str] | None = None) -> Message:
        """Send one request and return its 2xx answer, proving who we are when asked to."""
        target, asked = uri or self._base, dict(headers or {})
        if self._require and method in _REQUIRING:
            asked["Require"] = self._require
        answer = await self._exchange(method, target, asked)
        for _ in range(_MAX_CHALLENGES):
            if answer.status != 401 or not self._may_prove(answer):
                break
            answer = await self._exchange(method, target, asked)
        checked = _checked(answer, method)
        # A proof that was accepted once is right: many cameras let a nonce age without saying `stale`.
        self._proved = False
        return checked

    async def options(self) -> set[str]:
        """Methods the camera offers; an empty set when it does not say."""
        answer = await self.request("OPTIONS")
        self.methods = {word.strip().upper() for word in answer.get("public").split(",") if word.strip()}
        return self.methods

    async def describe(self) -> sdp.Description:
        """The session description of the stream."""
        answer = await self.request("DESCRIBE", headers={"Accept": "application/sdp"})
        try:
            description = sdp.parse(answer.body.decode("utf-8", "replace"))
        except sdp.SdpError as reason:
            raise RtspError(
                GARBLED, f"The camera's session description cannot be read: {reason}."
            ) from reason
        self._base = answer.get("content-base") or answer.get("content-location") or self.address.url
        self._aggregate = _resolve(self._base, description.control)
        return description

    async def setup(self, media: sdp.Media) -> Track:
        """Ask for one track on the next free pair of channels; the camera may choose another pair."""
        wanted = 2 * len(self.tracks)
        said = await self._transported(media, f"RTP/AVP/TCP;unicast;interleaved={wanted}-{wanted + 1}")
        track = Track(media, rtsp_transport.channel(said, wanted))
        self.tracks.append(track)
        return track

    async def setup_udp(self, media: sdp.Media, port: int) -> tuple[Track, int]:
        """Ask for one track by UDP, to `port` and for RTCP the next one.

        Returns the track, with the channels it would have on the connection, and the port that the camera
        sends from, 0 if it does not say.
        """
        said = await self._transported(media, f"RTP/AVP;unicast;client_port={port}-{port + 1}")
        self.tracks.append(track := Track(media, 2 * len(self.tracks)))
        return track, rtsp_transport.server_port(said)

    @property
    def ends(self) -> tuple[str, str]:
        """Our address and the camera's on the open connection."""
        if self._transport is None:
            raise RtspError(UNREACHABLE, "The connection to the camera is closed.")
        names = (self._transport.get_extra_info(one) for one in ("sockname", "peername"))
        ours, theirs = (name[0] for name in names)
        return ours, theirs

    async def _transported(self, media: sdp.Media, transport: str) -> str:
        headers = {"Transport": transport} | ({"Session": self.session} if self.session else {})
        answer = await self.request("SETUP", _resolve(self._base, media.control), headers)
        self._keep_session(answer)
        return answer.get("transport")

    async def play(self, span: str = "npt=0.000-", speed: float | None = None) -> None:
        """Start the tracks that are set up; `span` is the Range that is asked for, "" for none."""
        headers = {"Session": self.session} | ({"Range": span} if span else {})
        headers |= {"Speed": f"{speed:.2f}"} if speed else {}
        answer = await self.request("PLAY", self._aggregate, headers)
        self._keep_session(answer)

    def hand_over(self, protocol: asyncio.BaseProtocol) -> tuple[asyncio.Transport, bytes]:
        """Give the playing connection to a data plane; returns the transport and the bytes already read."""
        if self._transport is None or self._inbox.error:
            raise RtspError(UNREACHABLE, "The camera closed the connection as the stream started.")
        transport, self._transport = self._transport, None
        transport.set_protocol(protocol)
        return transport, bytes(self._inbox.buffer)

    def keep_alive(self) -> bytes:
        """Bytes of a request that keeps the session open; send them every `session_timeout` / 2 seconds."""
        method = "GET_PARAMETER" if "GET_PARAMETER" in self.methods else "OPTIONS"
        return self._encode(method, self._aggregate, {"Session": self.session})

    def teardown(self) -> bytes:
        """Bytes of the request that ends the session."""
        return self._encode("TEARDOWN", self._aggregate, {"Session": self.session})

    def renew(self, answer: Message) -> bool:
        """Take the new nonce of a refused keep-alive; False when the password itself is refused."""
        challenge = self._authoriser.learn(answer.headers.get("www-authenticate", []))
        return challenge is not None and challenge.stale

    def _encode(self, method: str, uri: str, headers: dict[str, str]) -> bytes:
        self._sequence += 1
        all_headers = {"CSeq": str(self._sequence), "User-Agent": _AGENT, **headers}
        if proof := self._authoriser.header(method, uri):
            all_headers["Authorization"] = proof
        try:
            return rtsp_message.write(f"{method} {_line(uri)} RTSP/1.0", all_headers)
        except MalformedError as reason:
            raise RtspError(
                GARBLED, f"The camera sent a value that cannot be sent back: {reason}."
            ) from reason

    async def _exchange(self, method: str, uri: str, headers: dict[str, str]) -> Message:
        if self._transport is None:
            raise RtspError(UNREACHABLE, "The connection to the camera is closed.")
        where = f"{self.address.host}:{self.address.port}"
        self._transport.write(self._encode(method, uri, headers))
        try:
            async with asyncio.timeout(self._timeout):
                return await self._answer()
        except TimeoutError as reason:
            text = f"{where} did not answer {method} within {self._timeout:g} s."
            raise RtspError(UNREACHABLE, text) from reason
        except MalformedError as reason:
            raise RtspError(GARBLED, f"{where} did not answer {method} in RTSP: {reason}.") from reason
        except OSError as reason:
            raise RtspError(UNREACHABLE, f"{where} broke off during {method}: {reason}.") from reason

    async def _answer(self) -> Message:
        """The response to the latest request; older ones and the camera's own requests are passed over."""
        while True:
            message = await self._inbox.message()
            if not message.start.startswith("RTSP/"):
                continue
            message.status  # noqa: B018  raises MalformedError here, where it is classified
            if message.get("cseq", str(self._sequence)).strip() == str(self._sequence):
                return message

    def _may_prove(self, answer: Message) -> bool:
        """Whether to answer the challenge: the first one, or a stale nonce; no password twice."""
        challenge = self._authoriser.learn(answer.headers.get("www-authenticate", []))
        if challenge is None:
            text = "The camera asks for a proof of identity that is neither Digest (MD5, SHA-256) nor Basic."
            raise RtspError(GARBLED, text)
        if not self._authoriser.has_user:
            raise RtspError(REFUSED, "The camera asks for a user name and a password, and none are entered.")
        first, self._proved = not self._proved, True
        return first or challenge.stale

    def _keep_session(self, answer: Message) -> None:
        name, _, rest = answer.get("session").partition(";")
        self.session = name.strip() or self.session
        _, found, seconds = rest.lower().partition("timeout=")
        digits = seconds.split(";")[0].strip()
        if found and digits.isascii() and digits.isdigit() and int(digits[:6]) > 0:
            self.session_timeout = float(digits[:6])


async def probe(url: str, username: str = "", password: str = "", *, timeout: float = 5.0) -> sdp.Description:
    """OPTIONS and DESCRIBE, nothing started: is it there, is the password accepted, what does it offer."""
    async with Client(url, username, password, timeout=timeout) as client:
        await client.options()
        return await client.describe()


def _certificate(transport: asyncio.Transport) -> bytes | None:
    found: bytes | None = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return found


def _unproven(where: str, why: str) -> RtspError:
    return RtspError(GARBLED, f"{where} did not prove with its certificate that it is the camera: {why}.")


def _checked(answer: Message, method: str) -> Message:
    status, start = answer.status, answer.start[:100]
    if 200 <= status < 300:
        return answer
    if status in (401, 403):
        raise RtspError(REFUSED, f"The camera refused the user name or password ({status}).")
    if status in (404, 410, 454):
        raise RtspError(NOT_FOUND, f"The camera has no such stream ({start}).")
    if 300 <= status < 400:
        raise RtspError(
            GARBLED, f"The camera redirects elsewhere ({start}); enter the final address instead."
        )
    raise RtspError(GARBLED, f"The camera answered {method} with {start!r}.", status)


def _resolve(base: str, control: str) -> str:
    """URI of a control attribute (RFC 2326 §C.1.1); with a query, cameras expect plain appending."""
    if control in ("", "*"):
        return base
    if "://" in control:
        return control
    if "?" in base and not control.startswith("/"):
        return f"{base.rstrip('/')}/{control}"
    try:
        return urljoin(base if base.endswith("/") else base + "/", control)
    except ValueError as reason:
        raise RtspError(GARBLED, f"The camera's control address {control[:80]!r} is none.") from reason


def _line(uri: str) -> str:
    if len(uri) > 4096 or any(c <= " " for c in uri):
        raise MalformedError("a URI with spaces or of more than 4096 characters")
    return uri
