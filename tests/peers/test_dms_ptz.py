"""DSS_DMS moves a camera by its own HTTP interface, and every move ends, whoever dies."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiodahua import DahuaClient
from dss_site import until
from test_dms import PASSWORD, TOKEN, Camera, Site, by_url, dahua, site

__all__ = ["site"]

WRONG: list[dict[str, Any]] = [
    {}, {"do": "fly"}, {"do": "move", "code": "up"}, {"do": "move", "code": "Up", "speed": 1},
    {"do": "move", "code": "up", "speed": 9}, {"do": "go", "preset": 0}, {"do": "save", "preset": True},
]  # fmt: skip


@pytest.fixture
def head() -> Iterator[Camera]:
    made = Camera()
    yield made
    made.close()


@pytest.fixture
async def ready(site: Site, head: Camera) -> Site:
    site.assign(dahua(head), by_url("rtsp://127.0.0.1:1/x", "d2"))
    site.start()
    async with asyncio.timeout(20):
        while len(await site.channels()) < 2:
            await asyncio.sleep(0.05)
    return site


async def order(site: Site, channel: str = "d1-1", **asked: str | int | bool) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{site.port}/ptz/{channel}"
    async with aiohttp.ClientSession() as session, session.post(url, json=asked, headers=headers) as answer:
        return answer.status, await answer.json()


async def too_long_in_pieces(site: Site) -> tuple[int, str]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"do": "stop"' + b" " * 5000 + b"}"

    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{site.port}/ptz/d1-1"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=pieces(), headers=headers) as answer,
    ):
        return answer.status, (await answer.json())["why"]


def done(camera: Camera) -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = camera.device.head.log
    return log


async def test_camera_moves_while_it_is_ordered_to_and_stops_with_the_last_order(
    ready: Site, head: Camera
) -> None:
    status, began = await order(ready, do="move", code="right-up", speed=8)
    assert (status, began["began"], began["moving"]) == (200, True, "right-up")
    assert began["ends_in"] <= 2.5
    await asyncio.sleep(0.5)
    status, again = await order(ready, do="move", code="right-up", speed=8)
    assert (status, again["began"]) == (200, False)
    assert (await order(ready, do="stop"))[1] == {"began": False, "moving": "", "ends_in": 0.0}
    _, there = await ready.ask("/ptz/d1-1")
    print("after", there)
    assert there["pan"] > 5
    assert there["tilt"] > 5
    assert there["zoom"] == 1
    assert done(head) == [("start", "RightUp"), ("stop", "RightUp")]
    await presets_are_saved_and_gone_to(ready, head)
    for wrong in WRONG:
        assert (await order(ready, **wrong))[0] == 422, wrong
    assert await too_long_in_pieces(ready) == (422, "It is too long.")
    assert (await order(ready, "d2-1", do="stop"))[0] == 404


async def presets_are_saved_and_gone_to(ready: Site, head: Camera) -> None:
    head.device.head.place = (42.0, 5.0, 3.0)
    assert (await order(ready, do="save", preset=7))[1]["began"]
    head.device.head.place = (0.0, 0.0, 1.0)
    assert (await order(ready, do="go", preset=7))[0] == 200
    _, found = await ready.ask("/ptz/d1-1")
    assert found == {"pan": 42.0, "tilt": 5.0, "zoom": 3.0, "moving": "", "ends_in": 0.0,
                     "presets": [{"id": 7, "name": "Preset7"}]}  # fmt: skip


@pytest.mark.full
async def test_move_that_nobody_keeps_going_ends_by_itself(ready: Site, head: Camera) -> None:
    await order(ready, do="move", code="zoom-in", speed=1)
    await until(lambda: ("stop", "ZoomTele") in done(head), 8)


@pytest.mark.full
async def test_move_that_a_killed_service_left_is_ended_by_the_next_one(ready: Site, head: Camera) -> None:
    await order(ready, do="move", code="left", speed=2)
    ready.kill()
    assert head.device.head.code == "Left"
    ready.start()
    await until(lambda: head.device.head.code == "", 15)


@pytest.mark.full
async def test_camera_that_cannot_move_or_is_away_says_so(ready: Site, head: Camera) -> None:
    head.device.head.answer = lambda *_: None  # type: ignore[method-assign]
    status, problem = await order(ready, do="move", code="up", speed=1)
    assert (status, problem["code"]) == (409, "ptz-unable")
    head.http.shutdown()
    head.http.server_close()
    status, problem = await order(ready, do="move", code="up", speed=1)
    assert (status, problem["code"]) == (502, "ptz-away")


@pytest.mark.full
async def test_a_refused_password_is_not_sent_again(site: Site, head: Camera) -> None:
    site.assign(dahua(head, "wrong"))
    site.start()
    async with asyncio.timeout(20):
        while not await site.channels():
            await asyncio.sleep(0.05)
    assert [(await order(site, do="go", preset=1))[0] for _ in range(2)] == [409, 409]
    assert "within the last ten minutes" in (await order(site, do="go", preset=1))[1]["why"]


async def test_the_simulated_camera_is_one_for_an_independent_client(head: Camera) -> None:
    head.device.head.presets[3] = (120.0, 10.0, 2.0)
    async with DahuaClient("127.0.0.1", "admin", PASSWORD, port=head.http_port) as client:
        await client.async_goto_preset_position(1, 3)
        found = await client.async_get_ptz_position()
    assert [float(found[f"status.Postion[{n}]"]) for n in range(3)] == [120.0, 10.0, 2.0]
