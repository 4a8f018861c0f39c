"""A body of JSON is understood, or refused with its reason and within its bound: never an accident inside."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.runtime.app import application
from services.runtime.asked import body
from services.runtime.health import Health
from services.ss.exports import order


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"{", "It is not JSON."),
        (b"\xff", "It is not JSON."),
        (b"[" * 60_000, "It is not JSON."),
        (b"[1]", "It is no JSON object."),
        (b" " * 100_000, "It is too long."),
    ],
)
@pytest.mark.parametrize("pieces", [False, True])
async def test_a_body_that_is_no_object_is_refused_with_its_reason(
    sent: bytes, why: str, pieces: bool
) -> None:
    async def take(request: web.Request) -> web.Response:
        return web.json_response(await body(request, order.wrong))

    async def slowly() -> AsyncIterator[bytes]:
        yield sent

    app = application(Health())
    app.router.add_post("/", take)
    async with TestClient(TestServer(app)) as client:
        answer = await client.post("/", data=slowly() if pieces else sent)
        assert (answer.status, (await answer.json())["why"]) == (422, why)
