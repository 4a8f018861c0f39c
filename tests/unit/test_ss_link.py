"""The connection to DSS_MTS: whole messages, plain refusals, and an end that is noticed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from services.runtime import auth
from services.ss.link import BINARY, MAX_MESSAGE, TEXT, Link, LinkError
from tests.unit.ss_bench import Bench

Say = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]
Open = Callable[[Say], Awaitable[Link]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens a link to a server that says what the test wants."""
    links, servers = list[Link](), list[TestServer]()

    async def start(say: Say) -> Link:
        async def serve(request: web.Request) -> web.WebSocketResponse:
            assert request.headers["Authorization"] == "Bearer t"
            server = web.WebSocketResponse(compress=False)
            await server.prepare(request)
            await say(server, request)
            return server

        service = web.Application()
        service.add_routes([web.get("/record/cam/main", serve)])
        servers.append(TestServer(service))
        await servers[0].start_server()
        url = str(servers[0].make_url("/record/cam/main"))
        links.append(await Link.open(url, {"Authorization": "Bearer t"}))
        return links[0]

    yield start
    for link in links:
        link.close()
    for server in servers:
        await server.close()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 3_000_000])
async def test_messages_of_every_size_come_whole_and_in_order(opened: Open, size: int) -> None:
    body = bytes(range(251)) * (size // 251) + bytes(size % 251)

    async def say(server: web.WebSocketResponse, _: web.Request) -> None:
        await server.send_str("{}")
        await server.send_bytes(body)
        await server.send_bytes(b"next")

    link = await opened(say)
    assert [await link.receive(10) for _ in range(3)] == [(TEXT, b"{}"), (BINARY, body), (BINARY, b"next")]
    with pytest.raises(LinkError, match="ended the stream"):
        await link.receive(10)


async def test_ping_is_answered_while_a_message_is_waited_for(opened: Open) -> None:
    heard = list[bytes]()

    async def hear(server: web.WebSocketResponse, _: web.Request) -> None:
        server._autoping = False
        await server.ping(b"here?")
        message = await server.receive(10)
        assert message.type is WSMsgType.PONG
        heard.append(message.data)
        await server.send_bytes(b"yes")

    link = await opened(hear)
    assert await link.receive(10) == (BINARY, b"yes")
    assert heard == [b"here?"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\x02\x01a", "in pieces"),
        (b"\x82\x81aaaaa", "in pieces"),
        (b"\x82\x7f" + (MAX_MESSAGE + 1).to_bytes(8, "big"), f"{MAX_MESSAGE + 1} bytes"),
        (b"\x82\x05abc", "ended the stream"),
    ],
)
async def test_what_is_no_whole_message_ends_the_link(opened: Open, raw: bytes, why: str) -> None:
    async def say(_: web.WebSocketResponse, request: web.Request) -> None:
        assert request.transport
        request.transport.write(raw)
        await asyncio.sleep(0)
        request.transport.close()

    link = await opened(say)
    with pytest.raises(LinkError, match=why):
        await link.receive(10)


async def test_silence_is_a_time_out(opened: Open) -> None:
    async def say(_: web.WebSocketResponse, __: web.Request) -> None:
        await asyncio.sleep(10)

    link = await opened(say)
    with pytest.raises(TimeoutError):
        await link.receive(0.05)


async def test_refusal_has_the_status_of_the_answer() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=503, text="not now")

    service = web.Application()
    service.add_routes([web.get("/record", refuse)])
    async with TestServer(service) as server:
        with pytest.raises(LinkError) as refused:
            await Link.open(str(server.make_url("/record")), {})
    assert refused.value.status == 503


async def test_a_recorder_that_is_refused_for_want_of_a_picture_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> Link:
        raise LinkError("DSS_MTS refused the stream", 409)

    monkeypatch.setattr(Link, "open", refuse)
    monkeypatch.setattr(auth, "bearer", dict[str, str])
    bench = Bench(tmp_path, monkeypatch)
    running = asyncio.create_task(bench.recorder.run(lambda _: ""))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bench.close()
    assert "sound alone, which is not recorded" in bench.recorder.problem
