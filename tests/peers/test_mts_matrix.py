"""Every kind of camera by every transport to every player; the quick part of it stands in the other tests."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mts_page import shown
from mts_rack import Rack

pytestmark = pytest.mark.full

CAMERAS = {
    "h264 aac": ("h264", "aac"),
    "h264 by udp": ("h264", "aac", "udp"),
    "h264 paced opus": ("paced", "opus"),
    "h264 b-frames": ("bframes", "alaw"),
    "h265 aac": ("h265", "aac"),
}
WAYS = {
    "ffmpeg": ("tcp", "udp", "tls", "mp4"),
    "gstreamer": ("tcp", "udp", "tls", "mp4"),
    "mpv": ("tcp", "udp", "tls", "mp4"),
    # Debian builds it without RTSP.
    "vlc": ("mp4",),
    "chromium": ("ws", "mp4"),
}
PICTURES = 40


@pytest.fixture(scope="module")
def cameras(rack: Rack) -> Rack:
    for name, words in CAMERAS.items():
        rack.camera(name.replace(" ", "-"), *words, wait=False)
    for name in CAMERAS:
        rack.wait_for(name.replace(" ", "-"), "online")
    return rack


def address(rack: Rack, camera: str, way: str) -> str:
    channel = camera.replace(" ", "-")
    if way == "ws":
        return rack.ws(channel)
    return (
        rack.http(f"/live/{channel}/main.mp4", channel)
        if way == "mp4"
        else rack.rtsp(channel, tls=way == "tls")
    )


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ffmpeg(url: str, way: str, codec: str, folder: Path) -> None:
    transport = () if way == "mp4" else ("-rtsp_transport", "udp" if way == "udp" else "tcp")
    words = [
        "ffmpeg",
        "-v",
        "error",
        "-xerror",
        *transport,
        "-i",
        url,
        "-map",
        "0:v",
        "-frames:v",
        str(PICTURES),
    ]
    said = run(*words, "-f", "framecrc", "-")
    assert sum(line.startswith("0,") for line in said.splitlines()) == PICTURES


def gstreamer(url: str, way: str, codec: str, folder: Path) -> None:
    kind = "h265" if codec == "h265" else "h264"
    source = {
        "mp4": f"souphttpsrc location={url} ! qtdemux",
        "tls": f"rtspsrc location={url} protocols=tcp+tls tls-validation-flags=0 ! rtp{kind}depay",
    }.get(way, f"rtspsrc location={url} protocols={way} ! rtp{kind}depay")
    line = f"{source} ! {kind}parse ! avdec_{kind} ! identity eos-after={PICTURES} ! "
    line += f"filesink location={folder}/raw"
    # How it ends is a race of its own by UDP, so that what came counts.
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], capture_output=True, timeout=60, check=False)
    assert (folder / "raw").stat().st_size >= (PICTURES - 1) * 320 * 180 * 3 // 2


def mpv(url: str, way: str, codec: str, folder: Path) -> None:
    words = ["mpv", "--no-config", "--vo=null", "--ao=null", f"--frames={PICTURES}", "--msg-level=all=warn"]
    transport = () if way == "mp4" else (f"--rtsp-transport={'udp' if way == 'udp' else 'tcp'}",)
    assert "rror" not in run(*words, *transport, url)


def vlc(url: str, way: str, codec: str, folder: Path) -> None:
    # It does not run as root, who else cannot write into this folder.
    alone = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    out = "--sout=#std{access=file,mux=ts,dst=-}"
    words = [
        *alone,
        "env",
        "HOME=/nonexistent",
        "cvlc",
        "-I",
        "dummy",
        "--run-time=4",
        "--play-and-exit",
        out,
    ]
    words += [url, "vlc://quit"]
    with (folder / "out.ts").open("wb") as file:
        subprocess.run(words, stdout=file, stderr=subprocess.PIPE, timeout=60, check=False)
    words = ["ffprobe", "-v", "error", "-select_streams", "v"]
    words += ["-count_packets", "-show_streams", "-of", "json"]
    streams = json.loads(run(*words, str(folder / "out.ts")))["streams"]
    assert int(streams[0]["nb_read_packets"]) >= PICTURES // 2


def chromium(url: str, way: str, codec: str, folder: Path) -> None:
    name = "ws" if way == "ws" else "src"

    async def look() -> None:
        async with shown(f"{name}={url.replace('&', '%26')}") as page:
            assert (await page.gain(2))["pictures"] > PICTURES

    asyncio.run(look())


PLAYERS: dict[str, Callable[[str, str, str, Path], None]] = {
    "ffmpeg": ffmpeg, "gstreamer": gstreamer, "mpv": mpv, "vlc": vlc, "chromium": chromium,
}  # fmt: skip


@pytest.mark.parametrize(
    ("player", "way", "camera"),
    [
        (player, way, camera)
        for player, ways in WAYS.items()
        for way in ways
        for camera in CAMERAS
        # Debian's Chromium has no decoder for H.265; the portal's test sees it named.
        if (player, camera.split()[0]) != ("chromium", "h265")
    ],
)
def test_player_shows_the_pictures(cameras: Rack, camera: str, player: str, way: str, tmp_path: Path) -> None:
    PLAYERS[player](address(cameras, camera, way), way, camera.split()[0], tmp_path)
