"""Main and sub stream of a camera on a real DSS_SS: both whole, each honest, the other one in its gaps."""

import asyncio
import io
import json
import secrets
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest
from mts_rack import PROBE
from ss_rack import CountingCamera, Store, losses, numbers
from test_ss_exports import call, ended, url
from test_ss_playback import Browser
from test_ss_rtsp import iso

MAIN, SUB = (1280, 720), (640, 360)
LOST = 25 * (2 + 5)
"""Pictures of one GOP and five seconds."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, {"file_seconds": 4}) as started:
        yield started


def grown(store: Store, *keys: str, more: int = 200_000, seconds: float = 40) -> None:
    """Return once the files of each of these tracks are so many bytes larger."""
    sizes = {key: sum(path.stat().st_size for path in store.files(key)) for key in keys}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if all(sum(path.stat().st_size for path in store.files(key)) > sizes[key] + more for key in keys):
            return
        time.sleep(0.1)
    raise AssertionError(f"{keys} do not grow: {store.ask('/state')}")


def picture(data: bytes | Path) -> tuple[int, int]:
    """Width and height of the first picture of a file."""
    with av.open(io.BytesIO(data) if isinstance(data, bytes) else str(data)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height


def fetched(store: Store, path: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of what a token opens."""
    place = f"http://127.0.0.1:{store.ss_port}/{path}&token={store.pass_for('cam')}"
    with urllib.request.urlopen(place, timeout=20) as answer:
        return answer.read(), dict(answer.headers)


def told(store: Store, stream: str = "any") -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    found = store.ask(f"/recorded/cam?from={now - 600_000}&to={now + 60_000}&stream={stream}")
    return list(found["intervals"])


def check_index(store: Store) -> None:
    """The index of a store at rest holds exactly the files of both tracks, with their sizes."""
    with sqlite3.connect(store.folder / "state" / "index.db") as base:
        rows = base.execute("SELECT channel, printf('%08d', seq), size FROM files").fetchall()
    files = [
        (key, path.name[:8], path.stat().st_size) for key in ("cam", "cam.sub") for path in store.files(key)
    ]
    assert sorted(rows) == sorted(files)


def probed(source: str | Path, *words: str) -> tuple[int, int]:
    """What ffprobe says of the first video stream."""
    line = [*PROBE[:3], *words, "-show_entries", "stream=width,height", "-of", "json", str(source)]
    found = json.loads(subprocess.run(line, check=True, capture_output=True, timeout=30).stdout)
    video = next(one for one in found["streams"] if "width" in one)
    return video["width"], video["height"]


def test_both_streams_are_recorded_and_each_is_given_out(store: Store) -> None:
    store.streaming("cam", "both")
    grown(store, "cam", "cam.sub", more=70_000)
    (whole,) = told(store, "main")
    (small,) = told(store, "sub")
    assert len(told(store)) == 1
    low, high = int(max(whole["start"], small["start"])) + 200, int(min(whole["end"], small["end"])) - 200
    for stream, size in (("main", MAIN), ("sub", SUB)):
        clip, headers = fetched(store, f"clip/cam?from={low}&to={high}&stream={stream}")
        assert (picture(clip), headers["X-Clip-Stream"]) == (size, stream)
        assert losses(numbers(clip)) == []
        jpeg, headers = fetched(store, f"thumbnail/cam?at={low}&stream={stream}")
        assert jpeg[:2] == b"\xff\xd8"
        assert headers["X-Picture-Stream"] == stream
    assert probed(store.playback("cam", "stream=sub"), "-rtsp_transport", "tcp") == SUB
    for path in ("clip/cam?from=1&to=2&stream=third", f"thumbnail/cam?at={low}&stream=third"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetched(store, path)
        assert caught.value.code == 422
        caught.value.close()
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetched(store, f"clip/cam.sub?from={low}&to={high}")
    assert caught.value.code == 403
    caught.value.close()
    store.stop_ss()
    assert all(probed(path) == SUB for path in store.files("cam.sub"))
    check_index(store)


@pytest.mark.full
def test_a_killed_recorder_finds_the_files_of_both_streams_again(store: Store) -> None:
    store.streaming("cam", "both")
    grown(store, "cam", "cam.sub")
    index = store.folder / "state" / "index.db"
    for lost in (False, True, False):
        store.stop_ss(signal.SIGKILL)
        for tail in ("", "-wal", "-shm") if lost else ():
            index.with_name(index.name + tail).unlink(missing_ok=True)
        store.start_ss()
        grown(store, "cam", "cam.sub")
    store.stop_ss()
    check_index(store)
    for key, size in (("cam", MAIN), ("cam.sub", SUB)):
        missing = losses([number for path in store.files(key) for number in numbers(path)])
        print(f"missing pictures of {key}:", missing)
        assert all(0 < one <= LOST for one in missing)
        for path in store.files(key):
            assert probed(path) == size
            subprocess.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", str(path)],
                           check=True, capture_output=True, timeout=60)  # fmt: skip


async def watched(store: Store, at: int, stream: str) -> list[dict[str, Any]]:
    """What a browser hears of each GOP from a moment to the end."""
    place = f"ws://127.0.0.1:{store.ss_port}/play/cam?token={store.pass_for('cam')}"
    async with aiohttp.ClientSession() as session, session.ws_connect(place, max_msg_size=0) as socket:
        browser, found = Browser(socket), []
        about, _ = await browser.ask(do="play", at=at, origin=at, stream=stream)
        while about["type"] == "gop" and len(found) < 200:
            found.append(about)
            about, _ = await browser.ask(do="more")
        return found


@pytest.mark.full
def test_where_one_stream_is_away_the_other_is_shown_told_and_exported(store: Store) -> None:
    main, sub = store.streaming("cam", "both")
    grown(store, "cam", "cam.sub")
    away(store, main, "cam.sub")
    grown(store, "cam")
    away(store, sub, "cam")
    grown(store, "cam.sub")
    store.channels = [row | {"plan": row["plan"] | {"mode": "off"}} for row in store.channels]
    time.sleep(8)

    assert [len(told(store, one)) for one in ("main", "sub")] == [2, 2]
    found = told(store)
    assert [(one.get("stream", "main"), one["after"]) for one in found] == [
        ("main", "gap"), ("sub", "join"), ("main", "join")]  # fmt: skip
    start = int(max(told(store, one)[0]["start"] for one in ("main", "sub")))
    for wanted, other in (("main", "sub"), ("sub", "main")):
        gops = asyncio.run(watched(store, start + 1, wanted))
        streams = [one["stream"] for one in gops]
        turns = [streams[0], *(b for a, b in pairwise(streams) if a != b)]
        assert turns == [wanted, other, wanted]
        assert all(b["at"] - a["end"] < 500 for a, b in pairwise(gops))
    fallen_back(store, found[1])
    exported(store, found)


def fallen_back(store: Store, gap: dict[str, Any]) -> None:
    """Clip, small picture and player of a gap of the main stream get the sub stream, and are told."""
    low, high = int(gap["start"]) + 300, int(gap["end"]) - 300
    clip, headers = fetched(store, f"clip/cam?from={low}&to={high}")
    assert (picture(clip), headers["X-Clip-Stream"]) == (SUB, "sub")
    assert fetched(store, f"thumbnail/cam?at={low}")[1]["X-Picture-Stream"] == "sub"
    span = (f"{word}={iso(at / 1000)}" for word, at in (("start", low), ("end", high)))
    assert probed(store.playback("cam", *span), "-rtsp_transport", "tcp") == SUB


def away(store: Store, camera: CountingCamera, other: str) -> None:
    """A camera is off while the other one's track grows."""
    camera.kill()
    grown(store, other, more=500_000)
    camera.start()


def exported(store: Store, found: list[dict[str, Any]]) -> None:
    """An export has the main stream, the sub stream where that lacks, and says which is which."""
    given = {"id": secrets.token_hex(8), "channels": [{"channel": "cam", "name": "Gate"}],
             "start": int(found[0]["start"]), "end": int(found[-1]["end"]), "format": "mp4",
             "by": "admin", "platform": "City Hall"}  # fmt: skip
    code, _ = call(store, "POST", "/exports", given)
    assert code == 201
    done = ended(store, given["id"])
    assert (done["state"], done["files"]) == ("done", 3)
    assert done["missing"] < 1
    place = url(store, given["id"])
    with (
        urllib.request.urlopen(place, timeout=20) as answer,
        zipfile.ZipFile(io.BytesIO(answer.read())) as box,
    ):
        manifest = json.loads(box.read("manifest.json"))
        for one in manifest["files"]:
            assert picture(box.read(one["name"])) == (SUB if one["stream"] == "sub" else MAIN)
            assert one["channel"] == "cam"
        assert sorted(one["stream"] for one in manifest["files"]) == ["main", "main", "sub"]


@pytest.mark.full
def test_encrypted_files_of_both_streams_are_read_again_when_the_index_is_lost(tmp_path: Path) -> None:
    with Store(tmp_path, {"file_seconds": 4, "encryption": True}) as store:
        store.streaming("cam", "both")
        until = time.monotonic() + 40
        while min((row["bytes"] for row in store.ask("/state")["recorders"]), default=0) < 200_000:
            assert time.monotonic() < until, store.ask("/state")
            time.sleep(0.1)
        store.channels = [row | {"plan": row["plan"] | {"mode": "off"}} for row in store.channels]
        time.sleep(4)
        before = {one: told(store, one) for one in ("main", "sub")}
        store.stop_ss(signal.SIGKILL)
        for path in (store.folder / "state").glob("index.db*"):
            path.unlink()
        store.start_ss()
        assert {path.parents[1].name for path in store.recordings.glob("*/*/*.sealed")} == {"cam", "cam.sub"}
        for stream, size in (("main", MAIN), ("sub", SUB)):
            assert [(one["start"], len(told(store, stream))) for one in before[stream]] == [
                (one["start"], 1) for one in told(store, stream)
            ]
            low, high = (int(before[stream][0][word]) for word in ("start", "end"))
            clip, _ = fetched(store, f"clip/cam?from={low}&to={high}&stream={stream}")
            assert picture(clip) == size
            assert losses(numbers(clip)) == []
