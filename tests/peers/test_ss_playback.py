"""What DSS_SS gives back: any second at once, across files without a hole, and clips as they are told."""

import asyncio
import base64
import json
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ss_rack import Store, losses, numbers

RECORDED = 24


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A recorder with some files of six seconds, still recording."""
    with Store(tmp_path_factory.mktemp("ss"), {"file_seconds": 5}) as started:
        started.counting("cam")
        started.wait_bytes("cam")
        time.sleep(RECORDED)
        yield started


def span(store: Store) -> tuple[float, float]:
    """Beginning and end of what is recorded, milliseconds since 1970; one interval."""
    found = store.timeline("cam", time.time() - 3600, time.time() + 3600)["intervals"]
    assert len(found) == 1, found
    return found[0]["start"], found[0]["end"]


class Browser:
    """The browser's end of a playback."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.init = b""

    async def ask(self, **request: object) -> tuple[dict[str, Any], bytes]:
        """The answer and its GOP, b"" at the end."""
        await self.socket.send_json({"id": 1, **request})
        while True:
            about = json.loads((await self.socket.receive(timeout=5)).data)
            if about["type"] in {"end", "timeline", "problem"}:
                return about, b""
            data = (await self.socket.receive(timeout=5)).data
            if about["type"] == "gop":
                return about, data
            self.init = data


async def test_everything_plays_across_files_without_a_hole(store: Store) -> None:
    start, _ = await asyncio.to_thread(span, store)
    url = f"ws://127.0.0.1:{store.ss_port}/play/cam?token={store.pass_for('cam')}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        browser, parts = Browser(socket), []
        about, data = await browser.ask(do="play", at=int(start) + 1, origin=int(start))
        while about["type"] == "gop":
            parts.append(data)
            about, data = await browser.ask(do="more")
        await asyncio.sleep(3)
        about, data = await browser.ask(do="more")
        assert about["type"] == "gop", "what was recorded meanwhile does not follow"
        parts.append(data)
    found = numbers(browser.init + b"".join(parts))
    assert len(found) > 25 * (RECORDED - 6)
    assert losses(found) == []


async def test_any_second_is_there_within_300_milliseconds(store: Store) -> None:
    start, end = await asyncio.to_thread(span, store)
    url = f"ws://127.0.0.1:{store.ss_port}/play/cam?token={store.pass_for('cam')}"
    waits = []
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        browser = Browser(socket)
        for n in range(100):
            moment = int(start + 1 + (end - 4000 - start) * ((n * 37) % 100) / 100)
            began = time.monotonic()
            about, data = await browser.ask(do="play", at=moment, origin=int(start) - 1000)
            waits.append((time.monotonic() - began) * 1000)
            assert about["at"] <= moment < about["end"] + 1
            assert len(numbers(browser.init + data)) > 10 if n < 3 else data
    print(f"seek: p50 {statistics.median(waits):.1f} ms, p99 {sorted(waits)[98]:.1f} ms")
    assert sorted(waits)[98] <= 300


async def test_the_first_picture_before_and_nothing_after_all_recordings(store: Store) -> None:
    start, end = await asyncio.to_thread(span, store)
    url = f"ws://127.0.0.1:{store.ss_port}/play/cam?token={store.pass_for('cam')}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        browser = Browser(socket)
        about, _ = await browser.ask(do="play", at=int(start) - 60_000, origin=int(start) - 60_000)
        assert about["at"] == pytest.approx(start, abs=1)
        assert (await browser.ask(do="play", at=int(end) + 60_000, origin=0))[0]["type"] == "end"
        assert (await browser.ask(do="dance"))[0]["type"] == "problem"


async def test_small_pictures_come_through_the_connection_that_plays(store: Store) -> None:
    start, _ = await asyncio.to_thread(span, store)
    url = f"ws://127.0.0.1:{store.ss_port}/play/cam?token={store.pass_for('cam')}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        for n in range(3):
            await socket.send_json({"id": n, "do": "thumbnail", "at": int(start) + 1 + 2000 * n})
        answers = [json.loads((await socket.receive(timeout=20)).data) for _ in range(3)]
        found = {one["id"]: one["jpeg"] for one in answers}
        assert set(found) == {0, 1, 2}
        jpeg = base64.b64decode(found[0])
        await socket.send_json({"id": "gap", "do": "thumbnail", "at": int(start) - 60_000})
        assert json.loads((await socket.receive(timeout=5)).data)["jpeg"] is None
    path = f"/thumbnail/cam?at={int(start) + 1}&token="
    data, headers = await asyncio.to_thread(fetch, store, path + store.pass_for("cam"))
    assert (data, headers["Content-Type"]) == (jpeg, "image/jpeg")


async def test_key_frames_alone_are_sent_as_long_as_their_groups(store: Store) -> None:
    start, _ = await asyncio.to_thread(span, store)
    url = f"ws://127.0.0.1:{store.ss_port}/play/cam?token={store.pass_for('cam')}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        browser, parts = Browser(socket), []
        _, data = await browser.ask(do="play", at=int(start) + 1, origin=int(start), keys=True)
        for _ in range(5):
            parts.append(data)
            _, data = await browser.ask(do="more")
    found = numbers(browser.init + b"".join(parts))
    assert [after - before for before, after in pairwise(found)] == [50] * 4


def fetch(store: Store, path: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{store.ss_port}{path}", timeout=20) as answer:
        return answer.read(), dict(answer.headers)


def test_a_clip_is_one_file_of_the_said_duration(store: Store, tmp_path: Path) -> None:
    start, _ = span(store)
    query = f"from={int(start) + 3000}&to={int(start) + 15_000}&token={store.pass_for('cam')}"
    data, headers = fetch(store, f"/clip/cam?{query}")
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    words = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    seconds = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert seconds == pytest.approx(float(headers["X-Clip-Duration"]), abs=0.25)
    assert 12 <= seconds <= 16.5
    assert float(headers["X-Clip-Missing"]) < 0.1
    found = numbers(data)
    assert losses(found) == []
    assert len(found) == pytest.approx(25 * seconds, abs=3)


def refused(store: Store, path: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(store, path)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["code"]


def test_a_token_opens_one_thing_once(store: Store) -> None:
    now = int(time.time() * 1000)
    token = store.pass_for("cam")
    path = f"/timeline/cam?from={now - 1000}&to={now}&token="
    assert json.loads(fetch(store, path + token)[0])["to"] == now
    assert refused(store, path + token)[0] == 403
    assert refused(store, path + store.token("cam"))[0] == 403
    assert refused(store, path + store.pass_for("other"))[0] == 403
    assert refused(store, f"/recorded/cam?from={now - 1000}&to={now}") == (401, "node-token-required")
    token = store.pass_for("cam")
    path = f"/thumbnail/cam?at={now - 86_400_000}&token="
    assert refused(store, path + token) == (404, "thumbnail-none")
    assert refused(store, path + token)[0] == 403
    assert refused(store, path + store.token("cam"))[0] == 403
    assert refused(store, path + store.pass_for("other"))[0] == 403


def test_spans_that_cannot_be_used_are_refused_clearly(store: Store) -> None:
    now = int(time.time() * 1000)
    for query, status in (
        ("from=5&to=5", 422),
        ("from=a&to=5", 422),
        (f"from={now + 10**6}&to={now + 10**7}", 404),
    ):
        assert refused(store, f"/clip/cam?{query}&token={store.pass_for('cam')}")[0] == status
    for at in ("x", 10**30):
        assert refused(store, f"/thumbnail/cam?at={at}&token={store.pass_for('cam')}") == (422, "span-wrong")
    assert refused(store, f"/timeline/cam?from=9&to=1&token={store.pass_for('cam')}") == (422, "span-wrong")
