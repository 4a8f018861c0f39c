"""Players written elsewhere read the relay's RTSP and RTSPS: ffmpeg, ffprobe, GStreamer, mpv."""

import json
import subprocess
from pathlib import Path

import pytest
from mts_rack import Rack

HERE = Path(__file__).parent


def run(*words: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)


def decoded(url: str, frames: int, *options: str) -> list[str]:
    """Lines of framecrc for so many video frames decoded by ffmpeg without one error."""
    words = ["ffmpeg", "-v", "error", "-xerror", *options, "-i", url, "-map", "0:v"]
    done = run(*words, "-frames:v", str(frames), "-f", "framecrc", "-")
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if not line.startswith("#")]


def test_ffmpeg_decodes_every_frame_over_tcp(rack: Rack) -> None:
    assert len(decoded(rack.rtsp("one"), 75, "-rtsp_transport", "tcp")) == 75


def test_ffmpeg_decodes_every_frame_over_tls(rack: Rack) -> None:
    assert len(decoded(rack.rtsp("one", tls=True), 50)) == 50


def test_ffprobe_sees_video_and_audio(rack: Rack) -> None:
    done = run(
        "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_streams", "-of", "json", rack.rtsp("one")
    )
    streams = json.loads(done.stdout)["streams"]
    assert {stream["codec_name"] for stream in streams} == {"h264", "aac"}
    assert next(stream["width"] for stream in streams if stream["codec_name"] == "h264") == 320


def test_gstreamer_decodes_video_and_ends_in_order(rack: Rack) -> None:
    words = [
        "/usr/bin/python3",
        str(HERE / "gst_player.py"),
        rack.rtsp("one"),
        "rtph264depay ! avdec_h264",
        "50",
    ]
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 50


def test_mpv_plays(rack: Rack) -> None:
    words = ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=50", "--msg-level=all=warn"]
    done = run(*words, "--rtsp-transport=tcp", rack.rtsp("one"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rror" not in done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "codec"), [("paced", "h264"), ("h265", "hevc"), ("bframes", "h264")])
def test_each_kind_of_camera_is_decoded_without_loss(rack: Rack, kind: str, codec: str) -> None:
    camera = rack.camera(kind, kind)
    try:
        words = ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name"]
        assert codec in run(*words, rack.rtsp(kind)).stdout
        assert len(decoded(rack.rtsp(kind), 50, "-rtsp_transport", "tcp")) == 50
    finally:
        camera.kill()
