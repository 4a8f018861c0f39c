"""Sound in recordings of a real DSS_SS: kept with the pictures, in step with them, and given out again."""

import asyncio
import io
import json
import statistics
import subprocess
import time
import urllib.request
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import av
import pytest
from ss_rack import Store, check_index, kill_recorder, kill_relay, losses, numbers
from test_ss_exports import ended, fetched, order
from test_ss_playback import Browser

from lab import counter
from services.media.plans import CONTINUOUS, Plan

RECORDED = 4
IN_STEP = 0.1
"""Seconds between a picture and its sound that nobody notices."""
CODECS = {"cam": "aac", "g711": "pcm_alaw"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two cameras that tick each second, in AAC and G.711, recorded with sound, in files of two seconds."""
    with Store(tmp_path_factory.mktemp("ss"), {"file_seconds": 1}) as started:
        started.counting("cam", "h264-audio")
        started.counting("g711", "h264-g711")
        heard(started)
        for channel in CODECS:
            started.wait_bytes(channel)
        time.sleep(RECORDED)
        yield started


def heard(store: Store, on: bool = True) -> None:
    """Have every channel recorded with its sound, or without."""
    plan = Plan(CONTINUOUS, sound=on).as_dict()
    store.channels = [row | {"plan": plan} for row in store.channels]


def probed(path: Path | str, *words: str) -> list[str]:
    """Codecs of a file or an address that ffprobe reads without a word of complaint."""
    command = [
        "ffprobe",
        "-v",
        "error",
        *words,
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def ticks(source: object, seconds: float = 60, **words: object) -> float:
    """When it ticks by its pictures: seconds from picture number 0 to a tick, modulo one second."""
    bases, heard_at = [], []
    with av.open(source, **words) as file:  # type: ignore[call-overload]
        plain = av.AudioResampler(format="s16", layout="mono")
        for frame in file.decode():
            if frame.pts is None:
                continue
            at = float(frame.pts * frame.time_base)
            if isinstance(frame, av.VideoFrame):
                bases.append(at - counter.read_frame(frame) / 25)
            else:
                heard_at += [
                    (at, one.sample_rate, array("h", bytes(one.planes[0])[: 2 * one.samples]))
                    for one in plain.resample(frame)
                ]
            if at > seconds:
                break
    loudest = max(max(level) for _, _, level in heard_at)
    found: list[float] = []
    for at, rate, level in heard_at:
        first = next((number for number, one in enumerate(level) if abs(one) > 0.3 * loudest), None)
        if first is not None and not (found and at + first / rate < found[-1] + 0.5):
            found.append(at + first / rate)
    base = statistics.median(bases)
    phases = [(one - base) % 1 for one in found]
    return statistics.median((phase - phases[0] + 0.5) % 1 - 0.5 for phase in phases) + phases[0]


def apart(one: float, other: float) -> float:
    return abs((one - other + 0.5) % 1 - 0.5)


def clip(store: Store, channel: str, seconds: float = 3) -> bytes:
    """The last whole seconds that are recorded."""
    _, end = span_of(store, channel)
    words = f"from={int(end - 1000 * (seconds + 2))}&to={int(end - 2000)}"
    url = f"http://127.0.0.1:{store.ss_port}/clip/{channel}?token={store.pass_for(channel)}&{words}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def span_of(store: Store, channel: str) -> tuple[float, float]:
    found = store.timeline(channel, time.time() - 3600, time.time() + 3600)["intervals"]
    assert len(found) == 1, found
    return found[0]["start"], found[0]["end"]


@pytest.mark.parametrize("channel", CODECS)
def test_files_and_clips_hold_the_sound_as_the_camera_sent_it(
    store: Store, channel: str, tmp_path: Path
) -> None:
    made = tmp_path / "clip.mp4"
    made.write_bytes(clip(store, channel))
    for path in (store.files(channel)[1], made):
        assert probed(path) == ["h264", CODECS[channel]]
    assert losses(numbers(made)) == []
    words = ["ffmpeg", "-v", "warning", "-xerror", "-i", str(made), "-f", "null", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    assert "rror" not in done.stderr
    assert "monoton" not in done.stderr


async def test_a_viewing_has_the_sound_if_it_asks_in_a_form_that_browsers_play(store: Store) -> None:
    for channel, wanted, given in (("cam", True, "mp4a.40.2"), ("cam", False, ""), ("g711", True, "flac")):
        start, _ = await asyncio.to_thread(span_of, store, channel)
        url = f"http://127.0.0.1:{store.ss_port}/play/{channel}?token={store.pass_for(channel)}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            origin = int(start) - 1000
            await socket.send_json(
                {"id": 1, "do": "play", "at": int(start), "origin": origin, "sound": wanted}
            )
            about = json.loads((await socket.receive(timeout=5)).data)
            browser = Browser(socket)
            browser.init = (await socket.receive(timeout=5)).data
            await socket.receive(timeout=5)
            parts = [browser.init, (await socket.receive(timeout=5)).data]
            parts.append((await browser.ask(do="more"))[1])
        assert about["sound"] == {"cam": "AAC", "g711": "G.711 (PCMA)"}[channel]
        assert about["mime"].endswith(f',{given}"') == bool(given)
        with av.open(io.BytesIO(b"".join(parts))) as file:
            assert len(file.streams.audio) == bool(given)
            pictures, heard = 0, 0.0
            for one in (one for packet in file.demux() for one in packet.decode()):
                pictures += isinstance(one, av.VideoFrame)
                heard += one.samples / one.sample_rate if isinstance(one, av.AudioFrame) else 0
        assert pictures == 100
        assert heard == pytest.approx(4 if given else 0, abs=0.3)


@pytest.mark.parametrize("form", ["mp4", "fmp4"])
@pytest.mark.parametrize("channel", CODECS)
def test_an_export_has_the_sound(store: Store, channel: str, form: str, tmp_path: Path) -> None:
    job = ended(store, order(store, channel, form=form)["id"])
    assert (job["state"], job["files"]) == ("done", 1), job
    path = fetched(store, job, tmp_path)
    assert probed(path) == ["h264", CODECS[channel]]
    assert len(numbers(path)) >= 100


def recorded(store: Store, channel: str) -> float:
    return ticks(io.BytesIO(clip(store, channel)), format="mp4")


def played(store: Store, channel: str) -> float:
    start, _ = span_of(store, channel)
    return ticks(store.playback(channel, f"start={_iso(start / 1000)}"), 5, options={"rtsp_transport": "tcp"})


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.full
@pytest.mark.parametrize("way", [recorded, played])
@pytest.mark.parametrize("channel", CODECS)
def test_sound_and_pictures_are_in_step_as_the_camera_has_them(
    store: Store, channel: str, way: Callable[[Store, str], float]
) -> None:
    # Its packets, and the reports by which it says itself what belongs together.
    wanted = ticks(store.rtsp(channel), 5, options={"rtsp_transport": "tcp"})
    off = apart(way(store, channel), wanted)
    print(f"{channel} {way.__name__}: {off * 1000:.0f} ms off")
    assert off < IN_STEP


@pytest.mark.full
@pytest.mark.parametrize("channel", CODECS)
def test_players_that_use_rtsp_hear_it(store: Store, channel: str) -> None:
    start, _ = span_of(store, channel)
    span = (f"start={_iso(start / 1000)}", f"end={_iso(start / 1000 + 4)}")
    assert probed(store.playback(channel, *span), "-rtsp_transport", "tcp") == ["h264", CODECS[channel]]
    words = ["mpv", "--no-config", "--vo=null", "--ao=null", "--rtsp-transport=tcp", "--msg-level=all=warn"]
    done = subprocess.run(
        [*words, store.playback(channel, *span)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "rror" not in done.stdout + done.stderr


@pytest.mark.full
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kill", [kill_recorder, kill_relay])
def test_a_kill_tears_no_file_and_takes_no_more_sound_than_pictures(
    tmp_path: Path, kill: Callable[[Store], None]
) -> None:
    with Store(tmp_path, {"file_seconds": 5}) as store:
        store.counting("cam", "h264-audio")
        heard(store)
        store.wait_bytes("cam", 300_000)
        for _ in range(3):
            kill(store)
            store.wait_bytes("cam", 300_000)
        store.stop_ss()
        check_index(store)
        found = [number for path in store.files("cam") for number in numbers(path)]
        assert all(0 < one <= 25 * 7 for one in losses(found))
        if kill is kill_recorder:
            assert losses(found) == []
        for path in store.files("cam"):
            assert probed(path) == ["h264", "aac"]
            with av.open(str(path)) as file:
                rows = [(one.stream.type, float(one.pts * one.time_base)) for one in file.demux() if one.size]
            seen, sounds = ([at for kind, at in rows if kind == wanted] for wanted in ("video", "audio"))
            assert abs(sounds[0] - seen[0]) < 0.2
            assert abs(sounds[-1] - seen[-1]) < 0.7


@pytest.mark.full
def test_sound_is_turned_on_and_off_without_a_picture_lost(tmp_path: Path) -> None:
    with Store(tmp_path, {"file_seconds": 3}) as store:
        store.counting("cam", "h264-audio")
        store.wait_bytes("cam", 200_000)
        for on in (True, False):
            heard(store, on)
            time.sleep(8)
        now = time.time()
        assert len(store.timeline("cam", now - 300, now + 60)["intervals"]) == 1
        store.stop_ss()
        codecs = [probed(path) for path in store.files("cam")]
        assert losses([number for path in store.files("cam") for number in numbers(path)]) == []
        assert (codecs[0], codecs[-1]) == (["h264"], ["h264"])
        assert ["h264", "aac"] in codecs
        check_index(store)
