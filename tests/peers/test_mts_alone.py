"""A camera that sends sound alone: heard by players and browsers, refused where a picture is needed."""

import asyncio
import io
import json
import subprocess
from array import array
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import aiohttp
import av
import pytest
from mts_page import messages
from mts_rack import Rack
from talking import frequency
from test_mts_sound import answer

HERE = Path(__file__).parent
MIMES = {"aac": "mp4a.40.2", "alaw": "flac", "ulaw": "flac", "opus": "opus"}
KINDS = ["aac", *(pytest.param(one, marks=pytest.mark.full) for one in ("alaw", "ulaw", "opus"))]
PCM = ("-ac", "1", "-ar", "8000", "-f", "s16le")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest, rack: Rack) -> str:
    """A camera with this sound on the channel of that name."""
    rack.camera(f"only-{request.param}", request.param, "alone")
    return str(request.param)


def tone(samples: bytes) -> float:
    """Hertz of what was decoded; refuses silence."""
    plain = array("h", samples)
    assert max(plain) > 3000
    return frequency(list(plain[len(plain) // 4 :]))


def heard(url: str, *options: str, seconds: float = 1) -> float:
    """The tone that ffmpeg decodes without one error."""
    words = ["ffmpeg", "-v", "error", "-xerror", *options, "-i", url, "-t", str(seconds), *PCM, "-"]
    done = subprocess.run(words, capture_output=True, timeout=40, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) >= 0.9 * seconds * 16_000
    return tone(done.stdout)


def test_ffmpeg_hears_the_tone_by_rtsp_and_as_a_file(rack: Rack, kind: str) -> None:
    channel = f"only-{kind}"
    row = rack.streams()[channel, "main"]
    assert (row["state"], row["picture"]) == ("online", False)
    assert abs(heard(rack.rtsp(channel), "-rtsp_transport", "tcp") - 440) < 3
    assert abs(heard(rack.http(f"/live/{channel}/main.mp4", channel)) - 440) < 3
    assert rack.streams()[channel, "main"]["frames"] > row["frames"]


@pytest.mark.full
def test_ffmpeg_hears_the_tone_over_tls_and_by_udp(rack: Rack, kind: str) -> None:
    channel = f"only-{kind}"
    assert abs(heard(rack.rtsp(channel, tls=True)) - 440) < 3
    assert abs(heard(rack.rtsp(channel), "-rtsp_transport", "udp") - 440) < 3


@pytest.mark.full
def test_gstreamer_hears_the_tone(rack: Rack, kind: str, tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    pcm = "audio/x-raw,format=S16LE,rate=8000,channels=1"
    elements = f"decodebin ! audioconvert ! audioresample ! {pcm} ! tee name=t ! queue"
    elements += f" ! filesink location={sound} t."
    words = [
        "/usr/bin/python3",
        str(HERE / "gst_player.py"),
        rack.rtsp(f"only-{kind}"),
        f"{elements} ! queue",
        "100",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=40, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert abs(tone(sound.read_bytes()) - 440) < 3


@pytest.mark.full
def test_mpv_hears_the_tone(rack: Rack, kind: str, tmp_path: Path) -> None:
    sound, channel = tmp_path / "sound", f"only-{kind}"
    words = [
        "mpv",
        "--no-config",
        "--ao=pcm",
        f"--ao-pcm-file={sound}",
        "--ao-pcm-waveheader=no",
        "--length=2",
    ]
    words += [
        "--audio-format=s16",
        "--audio-samplerate=8000",
        "--audio-channels=mono",
        "--rtsp-transport=tcp",
    ]
    done = subprocess.run(
        [*words, rack.rtsp(channel)], capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert abs(tone(sound.read_bytes()) - 440) < 3


async def test_a_browser_gets_its_first_piece_at_once_and_no_hole_follows(rack: Rack, kind: str) -> None:
    channel = f"only-{kind}"
    began = monotonic()
    init, _ = await messages(rack.ws(channel), 2)
    print(f"first piece after {monotonic() - began:.3f} s")
    assert monotonic() - began < 1
    assert init["mime"] == f'audio/mp4; codecs="{MIMES[kind]}"'
    _, parts = await messages(rack.ws(channel), 8)
    with av.open(io.BytesIO(b"".join(parts))) as file:
        times = [(float(one.pts * one.time_base), float(one.duration * one.time_base))
                 for one in file.demux(audio=0) if one.pts is not None]  # fmt: skip
    assert all(abs(begin + lasts - then) < 1e-4 for (begin, lasts), (then, _) in pairwise(times))
    assert times[-1][0] - times[0][0] > 0.19 * 6


async def test_what_needs_a_picture_is_refused_with_the_reason(rack: Rack, kind: str) -> None:
    channel = f"only-{kind}"
    for path in (f"/snapshot/{channel}", f"/hls/{channel}/main/index.m3u8"):
        status, body, _ = await asyncio.to_thread(answer, rack.http(path, channel))
        assert (status, json.loads(body)["title"]) == (409, "This channel has no picture.")
        assert "sound alone" in json.loads(body)["detail"]
    async with aiohttp.ClientSession() as session:
        url, token = (
            rack.http(f"/whep/{channel}/main", channel),
            {"Authorization": f"Bearer {rack.node_token}"},
        )
        offer = {"data": "v=0", "headers": {"Content-Type": "application/sdp"}}
        assert (await session.post(url, **offer)).status == 409
        port = rack.ports["http"]
        recorder = await session.get(f"http://127.0.0.1:{port}/record/{channel}/main", headers=token)
        assert recorder.status == 409
        async with session.ws_connect(rack.ws(channel, "converted")) as socket:
            note = json.loads((await socket.receive(timeout=10)).data)
    assert note["type"] == "note"


@pytest.mark.full
def test_a_camera_that_comes_back_goes_on_for_those_who_listen(own_rack: Rack) -> None:
    camera = own_rack.camera("door", "alaw", "alone")
    words = [
        "ffmpeg",
        "-v",
        "error",
        "-rtsp_transport",
        "tcp",
        "-i",
        own_rack.rtsp("door"),
        "-t",
        "6",
        *PCM,
        "-",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as player:
        until = monotonic() + 10
        while not own_rack.streams()["door", "main"]["viewers"] and monotonic() < until:
            sleep(0.05)
        camera.kill()
        own_rack.wait_for("door", "unreachable")
        camera.start()
        own_rack.wait_for("door", "online")
        samples, _ = player.communicate(timeout=40)
    assert abs(tone(samples[-16_000:]) - 440) < 3


@pytest.mark.full
def test_sound_that_no_browser_plays_is_named_and_players_hear_it(own_rack: Rack) -> None:
    own_rack.camera("wide", "surround", "alone")
    status, body, _ = answer(own_rack.http("/live/wide/main.mp4", "wide"))
    assert (status, json.loads(body)["code"]) == (409, "not-played")
    assert "two channels" in json.loads(body)["detail"]
    note = asyncio.run(_first_text(own_rack.ws("wide")))
    assert "two channels" in note["why"]
    assert abs(heard(own_rack.rtsp("wide"), "-rtsp_transport", "tcp") - 440) < 3


async def _first_text(url: str) -> dict[str, str]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        found: dict[str, str] = json.loads((await socket.receive(timeout=10)).data)
        return found


@pytest.mark.full
def test_a_camera_that_sends_sound_by_udp_alone_is_heard(own_rack: Rack) -> None:
    own_rack.camera("door", "ulaw", "alone", "udp")
    assert abs(heard(own_rack.http("/live/door/main.mp4", "door")) - 440) < 3
