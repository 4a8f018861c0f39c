"""G.711 and L16 as FLAC: sample by sample what was sent, as FFmpeg reads both."""

import secrets
import subprocess

import pytest

from services.mts import flac
from services.mts.audio import FormatError, Plain
from services.runtime.sdp import Media


def ffmpeg(data: bytes, *words: str) -> bytes:
    """Samples, big-endian; fails on a wrong checksum."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-err_detect",
        "crccheck+explode",
        *words,
        "-i",
        "-",
        "-f",
        "s16be",
        "-",
    ]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


@pytest.mark.parametrize(("codec", "name"), [("PCMU", "mulaw"), ("PCMA", "alaw")])
def test_each_code_of_g711_is_the_sample_that_ffmpeg_makes_of_it(codec: str, name: str) -> None:
    codes = bytes(range(256))
    assert flac.expanded(codec, codes) == ffmpeg(codes, "-f", name, "-ar", "8000")


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44_100, 2), (48_000, 1)])
def test_flac_gives_back_every_sample_and_its_silence_is_silent(rate: int, channels: int) -> None:
    form = Plain(Media("audio", 97, "L16", rate, channels))
    sent = [secrets.token_bytes(2 * channels * count) for count in (160, 16, 1000)]
    frames = [made for one in sent for made in form.samples(one, 0)] + [form.silence]
    head = b"fLaC\x80\x00\x00\x22" + flac.stream_info(rate, channels)
    assert ffmpeg(head + b"".join(frames), "-f", "flac") == b"".join(sent) + bytes(2 * channels * 1000)


@pytest.mark.parametrize("size", [0, 1, 15, 70_000])
def test_a_packet_that_is_no_frame_is_left_out(size: int) -> None:
    form = Plain(Media("audio", 8, "PCMA", 8000))
    assert form.samples(bytes(size), 0) == []
    assert len(form.samples(bytes(160), 0)) == 1


@pytest.mark.parametrize(("rate", "channels"), [(96_000, 2), (8000, 6), (0, 1)])
def test_what_is_too_much_for_a_browser_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(FormatError):
        Plain(Media("audio", 97, "L16", rate, channels))
