"""Recordings for RTSP players: ffmpeg, ffprobe and GStreamer over TCP and TLS, and every packet looked at."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.video.frame import PictureType
from mts_player import Player
from mts_rack import PROBE
from ss_rack import Store, losses, numbers
from ss_viewer import Watcher

from services.media.digest import hashes

HERE = Path(__file__).parent
RECORDED = 26
KEYS_APART = 2.0
PICTURE = 3600


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Short files, still recording: `cam`, `hevc`, `bframes`; and `torn`, whose camera was away a while."""
    with Store(tmp_path_factory.mktemp("ss"), {"file_seconds": 5}) as started:
        started.counting("cam")
        torn = started.counting("torn")
        started.counting("hevc", "h265")
        started.camera("bframes", "bframes")
        started.record("bframes")
        for channel in ("cam", "torn", "hevc", "bframes"):
            started.wait_bytes(channel)
        time.sleep(8)
        torn.kill()
        time.sleep(5)
        torn.start()
        time.sleep(RECORDED - 13)
        yield started


def span(store: Store, channel: str = "cam") -> tuple[float, float]:
    """Beginning and end of what is recorded, seconds since 1970."""
    found = store.timeline(channel, time.time() - 3600, time.time() + 3600)["intervals"]
    return found[0]["start"] / 1000, found[-1]["end"] / 1000


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(start: float, end: float | None = None) -> str:
    begin, stop = ("" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%S.%f}Z"
                   for at in (start, end))  # fmt: skip
    return f"Range: clock={begin}-{stop}"


@pytest.fixture
def watcher(store: Store) -> Iterator[Watcher]:
    """A player that is set up."""
    made = Watcher(store.playback("cam"))
    yield made
    made.close()


def run(*words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)


@pytest.mark.parametrize(
    ("channel", "form", "rate", "tls"),
    [
        ("cam", "h264", 25, False),
        pytest.param("hevc", "hevc", 15, True, marks=pytest.mark.full),
        pytest.param("cam", "h264", 25, True, marks=pytest.mark.full),
        pytest.param("hevc", "hevc", 15, False, marks=pytest.mark.full),
    ],
)
def test_ffmpeg_gets_every_picture_once_across_files_at_their_pace(
    store: Store, tmp_path: Path, channel: str, form: str, rate: int, tls: bool
) -> None:
    start, _ = span(store, channel)
    url = store.playback(channel, f"start={iso(start)}", f"end={iso(start + 14)}", tls=tls)
    began, path = time.monotonic(), tmp_path / f"all.{form}"
    transport = () if tls else ("-rtsp_transport", "tcp")
    done = run("ffmpeg", "-v", "error", "-xerror", *transport, "-i", url, "-c", "copy", "-f", form, str(path))
    took = time.monotonic() - began
    assert (done.returncode, done.stderr) == (0, "")
    found = numbers(path, form)
    assert losses(found) == []
    # A busy machine lets the first pictures come late.
    assert len(found) == pytest.approx(rate * 14, abs=10)
    assert 13 < took < 19
    assert len([one for one in store.files(channel)[:4] if one.stat().st_size]) >= 3


def test_an_account_that_may_see_recordings_opens_the_same_address_again(store: Store) -> None:
    known = {"hashes": hashes("wall", "secret"), "channels": ["cam"], "recordings": True, "ends": None}
    live_alone = known | {"name": "live", "hashes": hashes("live", "secret"), "recordings": False}
    store.players = [known | {"name": "wall"}, live_alone]
    time.sleep(2.6)
    start, _ = span(store)
    place = f"127.0.0.1:{store.ss_ports['rtsp']}/recording/cam?start={iso(start)}&end={iso(start + 2)}"
    words = ("ffmpeg", "-v", "error", "-rtsp_transport", "tcp")
    for _ in range(2):
        done = run(*words, "-i", f"rtsp://wall:secret@{place}", "-f", "null", "-")
        assert (done.returncode, done.stderr) == (0, "")
    assert "403" in run(*words, "-i", f"rtsp://live:secret@{place}", "-f", "null", "-").stderr
    store.players = []


def test_libav_shows_an_even_time_across_files(store: Store) -> None:
    start, _ = span(store)
    url = store.playback("cam", f"start={iso(start + 3)}", f"end={iso(start + 14)}")
    with av.open(url, options={"rtsp_transport": "tcp"}) as container:
        stamps = [frame.pts for frame in container.decode(video=0) if frame.pts is not None]
    steps = {after - before for before, after in pairwise(stamps[40:])}
    assert steps == {PICTURE}


def test_pictures_that_are_shown_out_of_order_keep_their_times(store: Store) -> None:
    start, _ = span(store, "bframes")
    url = store.playback("bframes", f"start={iso(start + 5)}", f"end={iso(start + 14)}")
    with av.open(url, options={"rtsp_transport": "tcp"}) as container:
        pictures = [frame for frame in container.decode(video=0) if frame.pts is not None]
    assert PictureType.B in {picture.pict_type for picture in pictures}
    # It ends in the order of decoding: the last picture may come without those before it.
    steps = {after.pts - before.pts for before, after in pairwise(pictures[60:-1])}
    assert len(pictures) > 200
    assert all(step == pytest.approx(PICTURE, abs=2) for step in steps)


def test_ffprobe_is_told_codec_and_duration(store: Store) -> None:
    start, _ = span(store)
    url = store.playback("cam", f"start={iso(start)}", f"end={iso(start + 10)}")
    words = [*PROBE, "-of", "json", "-show_format", "-show_streams"]
    told = json.loads(run(*words, url).stdout)
    assert told["streams"][0]["codec_name"] == "h264"
    assert (told["streams"][0]["width"], told["streams"][0]["height"]) == (640, 360)


def test_player_that_asks_for_udp_first_falls_back_to_tcp(store: Store) -> None:
    words = ["ffmpeg", "-v", "error", "-i", store.playback("cam"), "-frames:v", "10", "-f", "null", "-"]
    done = run(*words)
    assert done.returncode == 0
    assert re.search(r"method SETUP failed: 461 ?Unsupported Transport$", done.stderr.strip())


@pytest.mark.full
def test_gstreamer_plays_to_the_end(store: Store) -> None:
    start, _ = span(store)
    url = store.playback("cam", f"start={iso(start)}", f"end={iso(start + 5)}")
    done = run("/usr/bin/python3", str(HERE / "gst_player.py"), url, "rtph264depay ! avdec_h264", "0")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 100


@pytest.mark.parametrize(("rate", "apart"), [(1, 1), (8, 50)])
def test_gstreamer_seeks_to_the_asked_second_at_its_speed(store: Store, rate: int, apart: int) -> None:
    start, _ = span(store)
    orders = json.dumps([["play", 2], ["seek", 9.0, rate], ["play", 3]])
    done = run("/usr/bin/python3", str(HERE / "ss_viewer.py"), store.playback("cam"), orders)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(row[0], row[1] / 1000 - start, row[3]) for row in rows if row[2] >= 2]
    assert len(found) > 5, done.stderr
    assert {after[0] - before[0] for before, after in pairwise(found)} == {apart}
    # The picture was made a moment before it came, and those it is decoded from are hurried through.
    landed = next(shown for _, clock, shown in found if clock >= 8.7)
    assert 9 - KEYS_APART - 0.3 <= found[0][1] <= 9.1
    assert landed - found[0][2] < KEYS_APART / 2


def test_gstreamer_pauses_and_goes_on_without_loss(store: Store) -> None:
    orders = json.dumps([["play", 2], ["pause", 2], ["play", 2]])
    done = run("/usr/bin/python3", str(HERE / "ss_viewer.py"), store.playback("cam"), orders)
    found = [json.loads(line)[0] for line in done.stdout.splitlines()]
    assert len(found) > 60, done.stderr
    assert losses(found) == []


def test_a_range_lands_on_the_asked_picture(store: Store, watcher: Watcher) -> None:
    start, _ = span(store)
    status, text = watcher.ask("PLAY", clock(start + 8.9, start + 10))
    assert status == 200
    assert clock(start + 8.9, start + 10).split("=")[1][:20] in text
    seen = watcher.watch(3)
    stamps = [(one.stamp - seen[0].stamp) & 0xFFFFFFFF for one in seen]
    # What is only there to be decoded comes at once, as a hundredth of its time.
    hurried = [one for one, stamp in zip(seen, stamps, strict=True) if stamp < PICTURE]
    landed = seen[len(hurried) - 1]
    assert landed.clock - start == pytest.approx(8.9, abs=0.2)
    assert hurried[-1].came - hurried[0].came < 0.5
    assert seen[-1].came - landed.came == pytest.approx(1.1, abs=0.3)
    assert losses([one.number for one in seen]) == []
    assert f"rtptime={seen[0].stamp}" in text


def test_npt_counts_from_the_start_of_the_url(store: Store) -> None:
    start, _ = span(store)
    watcher = Watcher(store.playback("cam", f"start={iso(start + 4)}"))
    assert "a=range:npt=0.000000-" in watcher.description
    assert re.search(r"a=range:clock=\d{8}T\d{6}\.\d{6}Z-\d{8}T", watcher.description)
    assert "Range: npt=3.000000-3.5" in watcher.ask("PLAY", "Range: npt=3-3.5")[1]
    assert watcher.watch(1.5)[-1].clock - start == pytest.approx(7.5, abs=0.2)
    watcher.close()


@pytest.mark.parametrize(("scale", "apart"), [("8", 50), ("-1", -50), ("-8", -50)])
def test_fast_and_backwards_show_key_pictures_at_that_speed(
    store: Store, watcher: Watcher, scale: str, apart: int
) -> None:
    start, _ = span(store)
    begin = start + (1 if scale == "8" else 17)
    status, text = watcher.ask("PLAY", clock(begin), f"Scale: {scale}")
    assert (status, f"Scale: {scale}\r\n" in text) == (200, True)
    seen = watcher.watch(1.8 if abs(float(scale)) > 1 else 4.5)
    assert len(seen) >= 3
    for before, after in pairwise(seen):
        assert after.number - before.number == apart
        assert after.came - before.came == pytest.approx(KEYS_APART / abs(float(scale)), abs=0.15)
        ticks = KEYS_APART * 90_000 / abs(float(scale))
        assert (after.stamp - before.stamp) & 0xFFFFFFFF == pytest.approx(ticks, abs=50)


@pytest.mark.parametrize("scale", ["2", "0.5"])
def test_double_and_half_speed_show_every_picture(store: Store, watcher: Watcher, scale: str) -> None:
    start, _ = span(store)
    watcher.ask("PLAY", clock(start), f"Scale: {scale}")
    seen = watcher.watch(3)
    assert losses([one.number for one in seen]) == []
    assert len(seen) == pytest.approx(3 * 25 * float(scale), abs=6)


def test_backwards_ends_with_the_first_picture(store: Store, watcher: Watcher) -> None:
    start, _ = span(store)
    watcher.ask("PLAY", clock(start + 6.5), "Scale: -16")
    seen = watcher.watch(4)
    assert seen[-1].clock - start == pytest.approx(0, abs=0.2)
    assert watcher.left
    watcher.reports.clear()
    watcher.sequence = None
    assert watcher.ask("PLAY", clock(start))[0] == 200
    assert watcher.watch(1), "a player that came to an end cannot go elsewhere"


def test_pause_and_play_continue_with_the_next_picture(store: Store, watcher: Watcher) -> None:
    watcher.ask("PLAY", "Range: npt=0-")
    watcher.watch(1.3)
    assert "Range: clock=" in watcher.ask("PAUSE")[1]
    assert watcher.watch(1) == []
    assert watcher.ask("GET_PARAMETER")[0] == 200
    assert watcher.ask("PLAY")[0] == 200
    watcher.watch(1.5)
    assert len(watcher.seen) > 60
    assert losses([one.number for one in watcher.seen]) == []
    steps = {after.stamp - before.stamp & 0xFFFFFFFF for before, after in pairwise(watcher.seen)}
    assert steps == {PICTURE}


def test_pictures_are_stepped_through_by_short_ranges(store: Store, watcher: Watcher) -> None:
    watcher.ask("PLAY", "Range: npt=0-0.02")
    watcher.watch(0.3)
    for _ in range(5):
        text = watcher.ask("PAUSE")[1]
        at = datetime.fromisoformat(text.split("clock=")[1].split("-")[0]).timestamp()
        assert watcher.ask("PLAY", clock(at, at + 0.03))[0] == 200
        assert len(watcher.watch(0.3)) == 1
    assert losses([one.number for one in watcher.seen]) == []


def test_speed_changes_where_it_stands(store: Store, watcher: Watcher) -> None:
    watcher.ask("PLAY", "Range: npt=0-")
    watcher.watch(1)
    watcher.ask("PLAY", "Scale: 8")
    fast = watcher.watch(1)
    watcher.ask("PLAY", "Scale: 1")
    slow = watcher.watch(1)
    # Four seconds; the clocks in the pictures are those of when they were drawn, and jump a little.
    assert fast[-1].number - fast[0].number >= 4 * 25
    assert slow[0].number == watcher.seen[-len(slow) - 1].number + 1
    assert losses([one.number for one in slow]) == []


def test_a_gap_is_passed_over_and_the_clock_of_rtp_knows_none(store: Store) -> None:
    found = store.timeline("torn", time.time() - 3600, time.time() + 3600)["intervals"]
    holes = [(two["start"] / 1000, one["end"] / 1000) for one, two in pairwise(found)]
    begin, end = max(holes, key=lambda hole: hole[0] - hole[1])
    watcher = Watcher(store.playback("torn"))
    watcher.ask("PLAY", clock(end - 1))
    seen = watcher.watch(4)
    before, after = max(pairwise(seen), key=lambda pair: pair[1].number - pair[0].number)
    assert after.clock - before.clock > 3
    assert after.came - before.came < 0.5
    assert (after.stamp - before.stamp) & 0xFFFFFFFF <= 4 * PICTURE
    assert watcher.ask("PLAY", clock((end + begin) / 2))[0] == 200
    assert watcher.watch(1)[0].number == after.number
    watcher.close()


def test_reports_tell_the_time_of_the_recording(store: Store, watcher: Watcher) -> None:
    watcher.ask("PLAY", "Range: npt=6-")
    seen = watcher.watch(3)
    report = watcher.reports[-1]
    told = int.from_bytes(report[8:12], "big") - 2_208_988_800 + int.from_bytes(report[12:16], "big") / 2**32
    stamp = int.from_bytes(report[16:20], "big")
    picture = next(one for one in seen if one.stamp == stamp)
    assert told == pytest.approx(picture.clock, abs=0.3)


def test_the_newest_pictures_follow_as_they_are_recorded(store: Store) -> None:
    _, end = span(store)
    watcher = Watcher(store.playback("cam"))
    watcher.ask("PLAY", clock(end - 3))
    seen = watcher.watch(9)
    assert seen[-1].clock > end + 1
    assert losses([one.number for one in seen]) == []
    watcher.close()


def answer(store: Store, url: str, *headers: str) -> int:
    player = Player(store.ss_ports["rtsp"])
    with player.socket:
        return player.ask("DESCRIBE", url, *headers)[0]


def test_only_a_fresh_token_for_this_channels_recordings_opens_them(store: Store) -> None:
    url = store.playback("cam")
    assert answer(store, url) == 200
    assert answer(store, url) == 403
    base = url.split("?")[0]
    for token in (
        store.token("cam"),
        store.pass_for("hevc"),
        "",
        "x" * 3000,
        store.token("recording/cam", node="o"),
    ):
        assert answer(store, f"{base}?token={token}") == 403
    assert answer(store, f"{base}?token={store.pass_for('cam')}&start=yesterday") == 400
    start, _ = span(store)
    assert answer(store, store.playback("cam", f"start={iso(start + 5)}", f"end={iso(start)}")) == 400
    assert answer(store, store.playback("cam", f"start={iso(start + 10**6)}")) == 404
    assert answer(store, store.playback("nobody")) == 404


@pytest.mark.parametrize(
    ("header", "status"),
    [("Range: clock=now-", 457), ("Range: smpte=0-", 457), ("Range: npt=5-1", 457), ("Range: x", 457),
     ("Scale: 0", 400), ("Scale: nan", 400), ("Scale: fast", 400), ("Range: clock=99999999T999999Z-", 457),
     (f"Range: npt={'9' * 400}-", 457), ("Scale: 1e400", 400)],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_and_playing_goes_on(
    watcher: Watcher, header: str, status: int
) -> None:
    watcher.ask("PLAY", "Range: npt=0-")
    assert watcher.ask("PLAY", header)[0] == status
    assert len(watcher.watch(1)) > 10
    assert losses([one.number for one in watcher.seen]) == []


def test_requests_out_of_order_are_refused(store: Store) -> None:
    player = Player(store.ss_ports["rtsp"])
    url, over = store.playback("cam"), "Transport: RTP/AVP"
    with player.socket:
        assert player.ask("PAUSE", url)[0] == 454
        assert player.ask("PLAY", url, "Session: abc")[0] == 454
        assert player.ask("RECORD", url)[0] == 405
        assert player.ask("SETUP", f"{url}/trackID=7", f"{over}/TCP;unicast;interleaved=0-1")[0] == 404
        assert player.ask("SETUP", f"{url}/trackID=0", f"{over};unicast;client_port=5000-5001")[0] == 461


GARBAGE = [
    bytes(70_000),
    b"GET / HTTP/1.1\r\n\r\n",
    b"$\xff\xff\xff",
    b"DESCRIBE " * 9000,
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
    b"PLAY * RTSP/1.0\r\nContent-Length: 9e9\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBAGE)
def test_garbage_does_no_harm(store: Store, data: bytes) -> None:
    for port in ("rtsp", "rtsps"):
        with socket.create_connection(("127.0.0.1", store.ss_ports[port]), timeout=5) as opened:
            try:
                opened.sendall(data)
                opened.shutdown(socket.SHUT_WR)
                while opened.recv(65536):
                    pass
            except (ConnectionError, TimeoutError):
                pass
    assert answer(store, store.playback("cam")) == 200
    assert store.recorder is not None
    assert store.recorder.poll() is None
