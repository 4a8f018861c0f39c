"""HTTP in both roles on one socket: framing, bounds, and what a device may get wrong."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ars import flavour, login
from services.ars.login import RefusedError
from services.ars.wire import MAX_ANSWER, Wire, WireError


@dataclass
class Pair:
    """A wire, and the device's end of it."""

    wire: Wire
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def says(self, text: bytes) -> None:
        self.writer.write(text)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    own = await accepted
    yield Pair(Wire(*own), reader, writer)
    writer.close()
    own[1].close()
    server.close()


async def test_the_roles_change_on_the_same_socket(pair: Pair) -> None:
    body = b'{"DevClass":"NVR","DeviceID":"a b"}'
    pair.says(
        b"POST /cgi-bin/api/autoRegist/connect HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    assert await login.hello(pair.wire) == login.Hello("a b", "NVR")
    await pair.wire.reply(200)
    assert (await pair.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    for number in range(3):
        answer = asyncio.create_task(pair.wire.ask("GET", f"/cgi-bin/x.cgi?n={number}"))
        assert (await pair.reader.readuntil(b"\r\n\r\n")).startswith(b"GET /cgi-bin/x.cgi?n=%d " % number)
        pair.says(b"HTTP/1.1 100 Continue\r\n\r\n")
        pair.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert (await answer).body == b"abc"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nendless", "how long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(MAX_ANSWER + 1), "more than"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000, "failed"),
        (b"\x00\x01\x02 nonsense\r\n\r\n", "failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "failed"),
    ],
)  # fmt: skip
async def test_answers_without_end_bounds_or_sense_are_refused(pair: Pair, said: bytes, why: str) -> None:
    asking = asyncio.create_task(pair.wire.ask("GET", "/"))
    pair.says(said)
    with pytest.raises(WireError, match=why):
        await asking


async def test_a_device_that_talks_on_instead_of_listening_is_refused(pair: Pair) -> None:
    pair.says(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
    await pair.wire.hear()
    with pytest.raises(WireError, match="talks on"):
        await pair.wire.reply(200)


async def test_a_last_answer_ends_the_connection(pair: Pair) -> None:
    asking = asyncio.create_task(pair.wire.ask("GET", "/"))
    pair.says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    assert (await asking).body == b"ok"
    with pytest.raises(WireError, match="closed"):
        await pair.wire.ask("GET", "/")


async def answers(pair: Pair, *said: bytes) -> list[bytes]:
    """Play the device: one answer for each request; the requests."""
    heard = []
    for text in said:
        heard.append(await pair.reader.readuntil(b"\r\n\r\n"))
        pair.says(text)
    return heard


CHALLENGE = (
    b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
    b"Content-Length: 0\r\n\r\n"
)
BASIC = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n'
UNKNOWN = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Nothing\r\nContent-Length: 0\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TOKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"Token":"ab"}'


async def test_the_platform_logs_in_by_digest_and_takes_the_token(pair: Pair) -> None:
    device = asyncio.create_task(answers(pair, CHALLENGE, TOKEN))
    assert await login.login(pair.wire, "admin", "secret") == "ab"
    first, second = await device
    assert b"Authorization" not in first
    assert b'Authorization: Digest username="admin"' in second
    assert b"secret" not in second


@pytest.mark.parametrize("said", [[BASIC], [UNKNOWN], [EMPTY], [TOKEN], [CHALLENGE, EMPTY]])
async def test_a_login_that_would_give_the_password_away_or_proves_nothing_is_ended(
    pair: Pair, said: list[bytes]
) -> None:
    device = asyncio.create_task(answers(pair, *said))
    with pytest.raises(WireError):
        await login.login(pair.wire, "admin", "secret")
    assert all(b"Basic" not in one for one in await device)


async def test_a_refused_password_is_sent_once(pair: Pair) -> None:
    device = asyncio.create_task(answers(pair, CHALLENGE, CHALLENGE))
    with pytest.raises(RefusedError):
        await login.login(pair.wire, "admin", "secret")
    assert len(await device) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"DeviceID":""}', b'{"DeviceID":7}', b'{"DeviceID":"a\\n"}',
     b'{"DeviceID":"\\u00fc"}',
     b'{"DeviceID":"' + b"x" * 65 + b'"}', b"[" * 3000, b"x" * 4097],
)  # fmt: skip
async def test_an_introduction_that_cannot_be_used_is_refused(pair: Pair, body: bytes) -> None:
    pair.says(
        b"POST /cgi-bin/api/autoRegist/connect HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    with pytest.raises(WireError):
        await login.hello(pair.wire)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=64))
def test_any_first_bytes_have_one_flavour(first: bytes) -> None:
    found = flavour.of(first)
    assert found == flavour.CGI or found in flavour.REFUSALS
    assert (found == flavour.CGI) == b"POST".startswith(first[:4])
