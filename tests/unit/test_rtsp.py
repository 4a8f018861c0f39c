"""The RTSP handshake client against a scripted server on loopback: what it sends, how it names failures."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from services.runtime import rtsp
from services.runtime.rtsp import RtspError

SDP = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=cam\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n"
)
Answer = Callable[[str, dict[str, str]], bytes | None]


def reply(headers: dict[str, str], status: str = "200 OK", body: str = "", extra: str = "") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{extra}{length}\r\n{body}".encode()


@asynccontextmanager
async def camera(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve one scripted camera; yields its URL and the request lines it has seen."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().rstrip().split("\r\n")
                seen.append(lines[0])
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
                said = answer(lines[0].split(" ")[0], headers)
                if said is None:
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/cam?channel=1", seen


def digest_camera(algorithm: str, password: str, stale_once: bool = False) -> Answer:
    """A camera that recomputes the proof of RFC 7616 by itself and counts nothing else as right."""
    hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]
    nonces = ["first", "second"] if stale_once else ["second"]

    def answer(method: str, headers: dict[str, str]) -> bytes:
        proof = dict(re.findall(r'(\w+)="?([^",]*)"?', headers.get("authorization", "")))
        digest = lambda text: hashed(text.encode()).hexdigest()  # noqa: E731
        expected = ""
        if proof:
            secret = digest(f"admin:Login to 1:{password}")
            middle = f"{proof['nonce']}:{proof['nc']}:{proof['cnonce']}:auth"
            expected = digest(f"{secret}:{middle}:{digest(method + ':' + proof['uri'])}")
        if expected and proof["response"] == expected and proof["nonce"] == nonces[-1]:
            return reply(headers, body=SDP if method == "DESCRIBE" else "")
        stale = bool(expected) and proof["response"] == expected
        nonce = nonces[-1] if stale else nonces[0]
        challenge = f'Digest realm="Login to 1", nonce="{nonce}", qop="auth", algorithm={algorithm}'
        line = f"WWW-Authenticate: {challenge}{', stale=true' if stale else ''}\r\n"
        return reply(headers, "401 Unauthorized", extra='WWW-Authenticate: Basic realm="x"\r\n' + line)

    return answer


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_proof_is_accepted_by_an_independent_computation(algorithm: str) -> None:
    async with camera(digest_camera(algorithm, "p:ä s")) as (url, _):
        description = await rtsp.probe(url, "admin", "p:ä s")
    assert description.media[0].codec == "H264"


async def test_wrong_password_is_refused_after_exactly_one_proof() -> None:
    async with camera(digest_camera("MD5", "right")) as (url, seen):
        with pytest.raises(RtspError) as caught:
            await rtsp.probe(url, "admin", "wrong")
    assert caught.value.code == rtsp.REFUSED
    assert len(seen) == 2


async def test_stale_nonce_is_renewed_and_the_request_repeated() -> None:
    async with camera(digest_camera("SHA-256", "right", stale_once=True)) as (url, _):
        assert (await rtsp.probe(url, "admin", "right")).media


async def test_asked_for_a_password_without_having_one_is_refused_in_plain_words() -> None:
    async with camera(digest_camera("MD5", "right")) as (url, _):
        with pytest.raises(RtspError, match="none are entered") as caught:
            await rtsp.probe(url)
    assert caught.value.code == rtsp.REFUSED


async def test_redirect_is_not_followed() -> None:
    def answer(method: str, headers: dict[str, str]) -> bytes:
        return reply(headers, "302 Moved", extra="Location: rtsp://198.51.100.1/x\r\n")

    async with camera(answer) as (url, seen):
        with pytest.raises(RtspError, match="redirects") as caught:
            await rtsp.probe(url, "admin", "secret")
    assert caught.value.code == rtsp.GARBLED
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", rtsp.GARBLED),
        (b"\x00\xff\x13garbage", rtsp.GARBLED),
        (b"A" * 400_000, rtsp.GARBLED),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n", rtsp.GARBLED),
        (b"RTSP/1.0 many OK\r\n\r\n", rtsp.GARBLED),
        (b"RTSP/1.0 404 Not Found\r\n\r\n", rtsp.NOT_FOUND),
        (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n", rtsp.UNREACHABLE),
        (None, rtsp.UNREACHABLE),
    ],
)
async def test_each_kind_of_bad_answer_has_its_own_name(said: bytes | None, code: str) -> None:
    async with camera(lambda method, headers: said) as (url, _):
        with pytest.raises(RtspError) as caught:
            async with rtsp.Client(url, timeout=0.5) as client:
                await client.describe()
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


async def test_closed_port_is_unreachable() -> None:
    async with camera(lambda method, headers: None) as (url, _):
        pass
    with pytest.raises(RtspError) as caught:
        await rtsp.probe(url, timeout=1)
    assert caught.value.code == rtsp.UNREACHABLE


@pytest.mark.parametrize(
    "url", ["http://h/x", "rtsp://", "rtsp://h:99999/", "rtsp://h/a b", "rtsp://h/\r\nX: y"]
)
async def test_addresses_that_are_not_rtsp_are_named(url: str) -> None:
    with pytest.raises(RtspError):
        rtsp.address(url)


async def test_password_in_the_url_is_used_and_never_sent_in_the_clear() -> None:
    async with camera(digest_camera("MD5", "s3cret")) as (url, seen):
        await rtsp.probe(url.replace("rtsp://", "rtsp://admin:s3cret@"))
    assert seen
    assert not [line for line in seen if "s3cret" in line]


async def test_setup_play_and_hand_over_keep_every_media_byte() -> None:
    media = b"$\x02\x00\x04abcd"

    def answer(method: str, headers: dict[str, str]) -> bytes:
        if method == "DESCRIBE":
            return reply(headers, body=SDP)
        if method == "SETUP":
            extra = "Transport: RTP/AVP/TCP;unicast;interleaved=2-3\r\nSession: 77;timeout=8\r\n"
            return reply(headers, extra=extra)
        return (
            (media if method == "PLAY" else b"") + reply(headers) + (media[:5] if method == "PLAY" else b"")
        )

    async with camera(answer) as (url, seen), rtsp.Client(url) as client:
        description = await client.describe()
        track = await client.setup(description.media[0])
        await client.play()
        transport, early = client.hand_over(asyncio.Protocol())
        transport.close()
    assert (track.channel, client.session, client.session_timeout) == (2, "77", 8)
    assert early == media[:5]
    assert seen[1].startswith(f"SETUP {url}/trackID=0 ")
