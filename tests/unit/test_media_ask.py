"""A small question on loopback: what counts as an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from services.media import ask
from services.media.ask import AnswerError


@asynccontextmanager
async def neighbour(answer: bytes, stays: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    heard: list[bytes] = []
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if stays:
            with suppress(ConnectionError):
                await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], heard
    server.close()
    await asyncio.gather(*(one for one in serving if one))


@pytest.mark.parametrize("stays", [True, False])
async def test_an_answer_ends_where_it_says(stays: bool) -> None:
    async with neighbour(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", stays) as (port, heard):
        assert await ask.get(port, "/a", {"Authorization": "Bearer x"}, 5, 100) == b"body"
    assert heard[0].startswith(b"GET /a HTTP/1.0\r\n")
    assert b"\r\nAuthorization: Bearer x\r\n" in heard[0]


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    async with neighbour(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 200_000) as (port, _):
        assert len(await ask.get(port, "/", {}, 5, 300_000)) == 200_000


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "cut off"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, "longer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "HTTP"),
        (b"", "HTTP"),
        (b"SSH-2.0-x\r\n\r\n", "status"),
    ],
)
async def test_no_answer_is_told(answer: bytes, why: str) -> None:
    async with neighbour(answer) as (port, _):
        with pytest.raises(AnswerError, match=why):
            await ask.get(port, "/", {}, 5, 100)


async def test_a_neighbour_that_says_nothing_is_not_waited_for() -> None:
    async with neighbour(b"HTTP/1.1 2", stays=True) as (port, _):
        with pytest.raises(TimeoutError):
            await ask.get(port, "/", {}, 0.2, 100)
