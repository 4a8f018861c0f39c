"""Whatever cameras, players, browsers and disks send: a parser refuses it in words, and ends."""

import asyncio
import contextlib
import json
import logging
import os
import struct
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.media import batch, rtsp_server
from services.media.admission import Limits
from services.media.gate import Gate
from services.media.plans import CONTINUOUS
from services.mts import bits, depay, fmp4
from services.mts.chunk import Chunk, payloads
from services.mts.intake import Intake, Tail
from services.runtime import live_token, rtsp, rtsp_auth, rtsp_message, sdp
from services.runtime.errors import Problem
from services.runtime.rtsp import RtspError, Track
from services.runtime.rtsp_message import Message
from services.ss import boxes, segment, spans
from services.ss.index import Index
from services.ss.library import Library
from services.ss.locks import Locks
from services.ss.playback import Viewing
from services.ss.storage import Plain
from services.ss.thumbnails import Thumbnails
from tests.unit.fuzz import Allowed, survive

FEW, MANY = 400, 1_000_000

SDP = b"""v=0\r\no=- 2 1 IN IP4 192.0.2.4\r\ns=M\r\na=control:rtsp://192.0.2.4/c\r\nm=video 0 RTP/AVP 98\r
a=control:trackID=1\r\na=rtpmap:98 H265/90000\r\na=fmtp:98 sprop-sps=QgEB;sprop-pps=RAE=;sprop-vps=QAEM\r
m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/16000/2\r\na=fmtp:97 config=1410; SizeLen=13\r\na=sendonly\r
m=audio 0 RTP/AVP 8\r\nm=application 9 UDP/BFCP *\r\n"""
DIGEST = (
    b'Digest realm="cam", nonce="a1b2", algorithm=MD5, qop="auth", opaque="x", stale=true, Basic realm="y"'
)
SPS = bytes.fromhex("6742c01eda02802ff97016a0c0c0d48000000300800000197478b1750000")
HEVC = bytes.fromhex("420101016000000300900000030000030078a00280802d1fe5b559")
HIGH = bytes.fromhex("67640028acd940780227e5c044000003000400000300c83c60c658")


def answer(text: bytes, body: bytes = b"") -> bytes:
    size = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"RTSP/1.0 " + text + b"\r\n" + size + b"\r\n" + body


OPTIONS = answer(b"200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, GET_PARAMETER")
DESCRIBED = answer(b"200 OK\r\nCSeq: 2\r\nContent-Base: rtsp://192.0.2.4/cam/", SDP)
SET_UP = answer(
    b"200 OK\r\nCSeq: 3\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 12;timeout=60"
)
ANSWERS = OPTIONS + DESCRIBED + SET_UP + answer(b"200 OK\r\nCSeq: 4\r\nSession: 12")
REFUSED = answer(b"401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: " + DIGEST)


def packet(channel: int, number: int, body: bytes, first: int = 0x80, marker: int = 0x80) -> bytes:
    rtp = struct.pack(">BBHII", first, 96 | marker, number, number // 2 * 3600, 7) + body
    return b"$" + bytes((channel,)) + len(rtp).to_bytes(2, "big") + rtp


RTP = b"".join(
    packet(channel, number, body, first)
    for number, (channel, first, body) in enumerate((
        (0, 0x80, b"\x67sps"), (0, 0x80, b"\x65key"), (2, 0x80, b"sound"), (0, 0xB1, b"\0\0\0\1\0\0\0\1ext\x7c\x85a"),  # noqa: E501
        (0, 0x80, b"\x7c\x05mid"), (0, 0x80, b"\x7c\x45end"), (0, 0x80, b"\x18\0\3\x67ab\0\4\x65cde"), (1, 0x80, b"rtcp"),  # noqa: E501
        (0, 0x80, b"\x62\1\x93one"), (0, 0x80, b"\x62\1\x53two"), (0, 0x80, b"\x60\1\0\3\x40\1v\0\4\x42\1sp"),
    ))
) + OPTIONS  # fmt: skip


def _requests() -> list[bytes]:
    url = b"rtsp://h:9100/live/a-1/main"
    lines = (
        (b"OPTIONS", b"*", b""), (b"DESCRIBE", url + b"?token=x", b"Accept: application/sdp\r\n"),
        (b"SETUP", url + b"/trackID=0", b"Transport: RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=2-3\r\n"),  # noqa: E501
        (b"SETUP", url + b"/trackID=1", b"Transport: RTP/AVP/TCP\r\nSession: SESSION\r\n"),
        (b"PLAY", url, b"Session: SESSION\r\nRange: clock=20260101T000000Z-\r\nScale: 2\r\n"),
        (b"PAUSE", url, b"Session: SESSION\r\n"), (b"GET_PARAMETER", url, b"Session: SESSION\r\nContent-Length: 2\r\n"),  # noqa: E501
        (b"TEARDOWN", url, b"Session: SESSION\r\n"),
    )  # fmt: skip
    texts = [b"%s %s RTSP/1.0\r\nCSeq: %d\r\n%s\r\n" % (m, u, n, h) for n, (m, u, h) in enumerate(lines)]
    return [*texts, b"".join(texts[:5]), b"".join(texts), texts[1] + b"$\0\0\4abcd" + texts[2]]


def _file() -> bytes:
    init = fmp4.init_segment(bits.h264(SPS), b"\0\0\0\x08avc1", 90_000)
    text = segment.head(init, 'video/mp4; codecs="avc1"', 90_000, CONTINUOUS)
    for n in range(4):
        sample = (4).to_bytes(4, "big") + b"abcd"
        text += fmp4.stamp(n * 3600, 1_790_000_000_000_000) if n % 2 == 0 else b""
        text += fmp4.fragment(n, n * 3600, 3600, n % 2 == 0, len(sample)) + sample
    return text


def _message(data: bytes) -> None:
    buffer = bytearray(data)
    while (message := rtsp_message.take(buffer)) is not None:
        with contextlib.suppress(rtsp_message.MalformedError):
            assert message.status >= 0
        assert len(message.request) == 2


def _sdp(data: bytes) -> None:
    for media in sdp.parse(data.decode("utf-8", "replace")).media:
        assert isinstance(media.parameter_sets, list)
        assert isinstance(media.audio_config, bytes)
        assert 0 <= media.clock_rate < 2**31


def _challenge(data: bytes) -> None:
    one = rtsp_auth.Authoriser("admin", "secret")
    if one.learn([data.decode("utf-8", "replace")]):
        assert one.header("DESCRIBE", "rtsp://h/")


class Wire:
    """A transport that keeps nothing."""

    closed = False

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return ("192.0.2.9", 5000) if name in ("peername", "sockname") else None

    def write(self, data: bytes) -> None:
        assert data.startswith((b"RTSP/1.0 ", b"OPTIONS ", b"DESCRIBE ", b"SETUP ", b"PLAY "))

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed


async def _camera(data: bytes) -> None:
    client = rtsp.Client("rtsp://192.0.2.4/cam", "admin", "secret")
    client._transport = cast(asyncio.Transport, Wire())
    client._inbox.data_received(data)
    client._inbox.connection_lost(None)
    await client.options()
    for media in (await client.describe()).media[:3]:
        await client.setup(media)
    await client.play()
    assert client.keep_alive()


class Player(rtsp_server.Connection):
    """Lets everybody in and plays nothing."""

    path = rtsp_server.re.compile(r"/live/([^/]+)/([^/]+?)" + rtsp_server.TRACK)
    playing = False
    tracks = [  # noqa: RUF012
        Track(sdp.Media("video", 96, "H264", 90_000), 0),
        Track(sdp.Media("audio", 97, "OPUS", 48_000), 2),
    ]

    async def open(self, name: tuple[str, ...], query: dict[str, list[str]]) -> None:
        self.query = query

    async def description(self) -> bytes:
        return SDP

    async def prepare(self, message: Message) -> dict[str, str]:
        return {"Range": message.get("range")[:9]}

    def start(self) -> None:
        self.playing = True

    def stop(self) -> None:
        self.playing = False


class Anybody(Gate):
    """Admits everybody."""

    def admit(self, text: str, channel: str) -> live_token.LiveToken:
        return live_token.LiveToken("u", channel, "n", 0, "")


async def _player(data: bytes) -> None:
    one, wire = Player(Anybody("n"), Limits()), Wire()
    one.connection_made(cast(asyncio.BaseTransport, wire))
    one.data_received(data.replace(b"SESSION", one._session.encode()))
    task = one._task
    assert task is not None
    for _ in range(3):
        await asyncio.sleep(0)
    one.connection_lost(None)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _intake(data: bytes) -> None:
    for kind, nals in ((depay.h264_kind, depay.h264_nals), (depay.h265_kind, depay.h265_nals)):

        def take(
            chunk: Chunk, nals: Callable[[bytes, list[tuple[int, int]]], list[depay.Unit]] = nals
        ) -> None:
            assert b"" not in [b"".join(unit) for unit in nals(chunk.data, payloads(chunk.data, 0))]

        one = Intake(0, kind, take, lambda _: None, {0: Tail(1, 2, 3)} if len(data) % 2 else {})
        one.begin(cast(asyncio.Transport, Wire()), data)


def _sets(data: bytes) -> None:
    with contextlib.suppress(bits.BitstreamError):
        bits.h264(data)
    bits.h265(data)


def _recorded(data: bytes) -> None:
    file = os.memfd_create("fuzz")
    try:
        os.pwrite(file, data, 0)
        with Plain(Path(f"/proc/self/fd/{file}")) as source:
            found = boxes.scan(source)
        assert found.size <= len(data)
        list(boxes.parse(data[found.head.size :]))
    finally:
        os.close(file)


def _batch(data: bytes) -> None:
    assert len(batch.read(data).body) == len(data) - batch.HEADER.size


def _range(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        assert 1 / 16 <= abs(spans.scale(text)) <= 64
    with contextlib.suppress(ValueError, OverflowError):
        spans.moment(text)
    found = spans.span(text, 1_700_000_000_000_000)
    assert spans.told(found.start or 0, found.end)


KEY = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"  # noqa: E501


def _token(data: bytes) -> None:
    live_token.verify_live(KEY, data.decode("utf-8", "surrogateescape"), 0)


class Socket:
    """A browser that says one thing and leaves."""

    def __init__(self, data: bytes) -> None:
        self.data: list[str | bytes] = [data.decode("utf-8", "replace"), data]

    def __aiter__(self) -> "Socket":
        return self

    async def __anext__(self) -> SimpleNamespace:
        if not self.data:
            raise StopAsyncIteration
        return SimpleNamespace(data=self.data.pop())

    async def send_json(self, data: Any) -> None:  # noqa: ANN401 - JSON
        assert json.dumps(data)


async def _viewing(data: bytes) -> None:
    await Viewing(LIBRARY.found, Thumbnails(LIBRARY.found), "a-1", cast(Any, Socket(data))).serve()


@dataclass
class Shelf:
    """The library that the viewings search."""

    found: Library


LIBRARY = Shelf(cast(Library, None))


@dataclass(frozen=True)
class Case:
    """A parser, what it may raise, and something that it takes."""

    target: Callable[[bytes], Awaitable[None] | None]
    allowed: Allowed
    seeds: list[bytes]


ASKED = [b'{"id":1,"do":"play","at":1790000000000,"origin":0}', b'{"id":2,"do":"more"}',
         b'{"id":3,"do":"thumbnail","at":1790000000000}',
         b'{"id":"x","do":"timeline","from":1790000000000,"to":1790000001000}']  # fmt: skip
RANGES = [b"clock=20260101T000000Z-20260101T010000.5Z", b"npt=0-", b"npt=12.5-13", b"npt=1:02:03.4-", b"2.5", b"-1",  # noqa: E501
          b"clock=2026-01-01T00:00:00+02:00-", b"2026-01-01T00:00:00Z", b"npt=now-;time=19970123T153600Z"]  # fmt: skip  # noqa: E501
CASES = {
    "RTSP messages": Case(
        _message, (rtsp_message.MalformedError,), [*_requests(), DESCRIBED, ANSWERS, REFUSED]
    ),
    "RTSP of cameras": Case(
        _camera, (RtspError,), [ANSWERS, ANSWERS, REFUSED + ANSWERS.replace(b"q: 1", b"q: 2")]
    ),
    "challenges": Case(_challenge, (), [DIGEST, b'Basic realm="x"', DIGEST.replace(b"MD5", b"SHA-256-sess")]),
    "SDP": Case(_sdp, (sdp.SdpError,), [SDP, SDP.replace(b"\r\n", b"\n")]),
    "RTSP of players": Case(_player, (), _requests()),
    "RTP": Case(_intake, (), [RTP, RTP[:60], RTP[90:]]),
    "parameter sets": Case(_sets, (bits.BitstreamError,), [SPS, HEVC, HIGH]),
    "recorded files": Case(_recorded, (boxes.TornError,), [_file()]),
    "batches": Case(_batch, (ValueError,), [batch.HEADER.pack(1, 1, 2, 3, 4, 5) + b"body"]),
    "playback messages": Case(_viewing, (), ASKED),
    "ranges": Case(_range, (ValueError, OverflowError), RANGES),
    "tokens": Case(_token, (Problem,), [b"eyJ1c2VyIjoidSJ9." + b"A" * 86, b"a.b"]),
}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library of its own for the viewings, searched without a thread for each."""

    async def at_once(work: Callable[..., object], *values: object) -> object:
        return work(*values)

    monkeypatch.setattr("services.ss.playback.asyncio.to_thread", at_once)
    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder) / "index.db")
        monkeypatch.setattr(LIBRARY, "found", Library(index, Locks([])))
        yield
        index.close()


@pytest.fixture
def accidents(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What was caught and logged as an accident counts like what was not caught."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)
    found = [
        one.getMessage() + (one.exc_text or "") for one in caplog.records if one.levelno >= logging.ERROR
    ]
    assert not found, found[0]


@pytest.mark.usefixtures("library", "accidents")
@pytest.mark.parametrize("name", CASES)
async def test_hostile_input_is_refused_in_words(name: str) -> None:
    case = CASES[name]
    await survive(case.target, case.allowed, case.seeds, FEW)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("library", "accidents")
@pytest.mark.parametrize("name", CASES)
async def test_a_million_hostile_inputs_are_refused_in_words(name: str) -> None:
    case = CASES[name]
    await survive(case.target, case.allowed, case.seeds, MANY)
