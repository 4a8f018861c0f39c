"""Lab cameras, driven by programs written elsewhere: FFmpeg for pictures, curl for their HTTP interface."""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.rack import Lab

# Prints one line a decoded picture: counter, clock in ms, and the time of decoding in ms.
WATCH = """
import sys, time, av
from lab import counter
with av.open(sys.argv[1], options={"rtsp_transport": sys.argv[2]}, timeout=(10, 10)) as source:
    for number, frame in enumerate(source.decode(video=0)):
        mark = counter.read_mark(frame)
        print(mark.counter, mark.clock_ms, int(time.time() * 1000), frame.width, frame.height, flush=True)
        if number + 1 == int(sys.argv[3]):
            break
"""
PASSWORD = "Camera.2468"
HOSTS = """
camera:
  hosts:
    paced: {ansible_host: 198.18.0.101, lab_camera: h264-paced}
    aac: {ansible_host: 198.18.0.102, lab_camera: h264-audio}
    g711: {ansible_host: 198.18.0.103, lab_camera: h264-g711}
    hevc: {ansible_host: 198.18.0.104, lab_camera: h265}
    broken: {ansible_host: 198.18.0.105, lab_camera: garbage}
"""


def url(host: str = "198.18.0.101", subtype: int = 0, password: str = PASSWORD) -> str:
    return f"rtsp://admin:{password}@{host}:554/cam/realmonitor?channel=1&subtype={subtype}"


def watch(lab: Lab, where: str, transport: str = "tcp", pictures: int = 60) -> list[list[int]]:
    done = lab.run([sys.executable, "-c", WATCH, where, transport, str(pictures)], capture=True, seconds=60)
    assert done.returncode == 0, done.stderr
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


def probe(lab: Lab, where: str, transport: str = "tcp") -> str:
    words = ["ffprobe", "-v", "error", "-rtsp_transport", transport, "-timeout", "3000000",
             "-show_entries", "stream=codec_name", "-of", "csv=p=0", where]  # fmt: skip
    done = lab.run(words, capture=True, seconds=30)
    return done.stdout if done.returncode == 0 else done.stderr


def curl(lab: Lab, path: str, password: str = PASSWORD) -> str:
    words = ["curl", "-sg", "--digest", "-u", f"admin:{password}", "-w", "%{http_code}",
             f"http://198.18.0.101/cgi-bin/{path}"]  # fmt: skip
    return lab.run(words, capture=True, seconds=20).stdout


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Iterator[Lab]:
    """A second lab with one camera of every other kind."""
    folder = tmp_path_factory.mktemp("variants")
    (folder / "hosts.yml").write_text(HOSTS)
    rack = Lab(f"{lab.name}v")
    rack.up(folder)
    yield rack
    rack.down()


@pytest.mark.parametrize(("subtype", "size"), [(0, [1280, 720]), (1, [640, 360])])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_every_picture_arrives_once_and_in_order(
    lab: Lab, subtype: int, size: list[int], transport: str
) -> None:
    seen = watch(lab, url(subtype=subtype), transport)
    counters = [line[0] for line in seen]
    assert counters == list(range(counters[0], counters[0] + 60))
    assert seen[0][3:] == size


def test_the_clock_in_the_picture_runs_with_the_machines_clock(lab: Lab) -> None:
    seen = watch(lab, url())
    clocks = [line[1] for line in seen]
    assert clocks == sorted(clocks)
    # 59 steps of 40 ms; a starved encoder may shift single pictures.
    assert abs((clocks[-1] - clocks[0]) - 59 * 40) < 500
    assert 0 <= seen[-1][2] - seen[-1][1] < 3000


def test_a_wrong_password_and_a_missing_stream_are_refused(lab: Lab) -> None:
    assert "401" in probe(lab, url(password="wrong"))
    assert "400" in probe(lab, url(subtype=7)) or "404" in probe(lab, url(subtype=7))


def test_the_http_interface_identifies_the_camera(lab: Lab) -> None:
    assert curl(lab, "magicBox.cgi?action=getMachineName") == "name=cam-1\n200"
    assert re.fullmatch(r"sn=[0-9A-F]{15}\n200", curl(lab, "magicBox.cgi?action=getSerialNo"))
    assert "serialNumber=" in curl(lab, "magicBox.cgi?action=getSystemInfo")
    assert curl(lab, "magicBox.cgi?action=nonsense") == "Error\nBad Request!\n400"
    assert curl(lab, "magicBox.cgi?action=getSerialNo", "wrong").endswith("401")


def test_the_clock_of_the_camera_can_be_set(lab: Lab) -> None:
    now = time.strftime("%Y-%m-%d%%20%H:%M:%S", time.gmtime())
    assert curl(lab, "global.cgi?action=setCurrentTime&time=2031-02-03%2004:05:06") == "OK\n200"
    assert curl(lab, "global.cgi?action=getCurrentTime").startswith("result=2031-02-03 04:05:0")
    assert curl(lab, f"global.cgi?action=setCurrentTime&time={now}") == "OK\n200"


def test_power_loss_stops_the_picture_and_boot_brings_it_back(lab: Lab) -> None:
    lab.poweroff("cam-1")
    try:
        assert not lab.host("cam-1").running
        assert "h264" not in probe(lab, url())
    finally:
        lab.boot("cam-1")
    assert len(watch(lab, url(), pictures=5)) == 5


@pytest.mark.parametrize(
    ("address", "codecs"),
    [(101, "h264\n"), (102, "h264\naac\n"), (103, "h264\npcm_alaw\n"), (104, "hevc\n")],
)
def test_variants_send_what_they_promise(variants: Lab, address: int, codecs: str) -> None:
    assert probe(variants, url(f"198.18.0.{address}")) == codecs
    counters = [line[0] for line in watch(variants, url(f"198.18.0.{address}"), pictures=20)]
    assert counters == list(range(counters[0], counters[0] + 20))


def test_a_broken_camera_answers_garbage(variants: Lab) -> None:
    assert "Invalid data" in probe(variants, url("198.18.0.105"))


def test_a_camera_needs_little_of_a_core(lab: Lab) -> None:
    process = Path(
        f"/proc/{__import__('json').loads((lab.folder / 'hosts/cam-2/process.json').read_text())['pid']}/stat"
    )

    def used() -> int:
        return sum(int(word) for word in process.read_text().rpartition(")")[2].split()[11:13])

    before = used()
    watch(lab, url("198.18.0.102"), pictures=250)
    # Ten seconds in clock ticks of 10 ms, with the start of the encoder: 12 % of a core and some margin.
    assert used() - before < 200
