"""The mark of a lab camera is read back exactly from coded pictures, and never wrongly from others."""

import io
import random

import av
import pytest

from lab import counter
from lab.counter import Mark, UnreadableError
from lab.device.scene import Scene

MARKS = [Mark(0, 0), Mark(1, 1763815800123), Mark(2**32 - 1, 2**44 - 1), Mark(0x12345678, 1)]


def plane(mark: Mark, width: int = 640, height: int = 360) -> bytes:
    drawn = counter.draw(mark, width, height)
    return drawn + bytes(width * height - len(drawn))


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (640, 360), (320, 180)])
def test_a_drawn_mark_is_read_back(mark: Mark, width: int, height: int) -> None:
    assert counter.read(plane(mark, width, height), width, height, width) == mark


def test_a_longer_stride_than_the_width_is_honoured() -> None:
    packed = plane(MARKS[1])
    padded = b"".join(packed[y * 640 : y * 640 + 640] + b"\x80" * 32 for y in range(360))
    assert counter.read(padded, 640, 360, 672) == MARKS[1]


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_marks_survive_coding(codec: str, size: tuple[int, int]) -> None:
    """Through a real encoder at a camera's low rate and a real decoder, every picture is read exactly."""
    marks = [Mark(1000 + n, 1763815800000 + 40 * n) for n in range(30)]
    assert read_all(encode(codec, size, marks)) == marks


def test_marks_survive_scaling_down() -> None:
    coded = encode("libx264", (1280, 720), [MARKS[1]])
    with av.open(io.BytesIO(coded)) as container:
        small = next(container.decode(video=0)).reformat(width=320, height=180)
    assert counter.read_mark(small) == MARKS[1]


def test_every_single_wrong_cell_is_noticed() -> None:
    good = plane(MARKS[1])
    for row in range(counter.ROWS):
        for column in range(counter.COLUMNS):
            bad = bytearray(good)
            for y in range(row * 8, row * 8 + 8):
                for x in range(column * 16, column * 16 + 16):
                    bad[y * 640 + x] = 255 - bad[y * 640 + x]
            with pytest.raises(UnreadableError):
                counter.read(bytes(bad), 640, 360, 640)


def test_pictures_without_a_mark_are_refused() -> None:
    noise = random.Random(7)  # noqa: S311 - a picture
    for shade in (bytes(640 * 360), b"\xff" * 640 * 360, noise.randbytes(640 * 360)):
        with pytest.raises(UnreadableError):
            counter.read(shade, 640, 360, 640)


def encode(codec: str, size: tuple[int, int], marks: list[Mark]) -> bytes:
    """A Matroska file with one camera picture a mark."""
    scene, target = Scene(*size, "cam-1"), io.BytesIO()
    with av.open(target, "w", format="matroska") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none:pools=none"}
        if codec == "libx264":
            options.pop("x265-params")
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.bit_rate, stream.pix_fmt = *size, 500_000, "yuv420p"
        for index, mark in enumerate(marks):
            picture = scene.picture(mark.counter, mark.clock_ms, mark.clock_ms / 1000)
            frame = av.VideoFrame(*size, "yuv420p")
            fill(frame, bytes(picture))
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def fill(frame: av.VideoFrame, picture: bytes) -> None:
    """Copy an I420 picture into a frame, line by line as the frame wants them."""
    at = 0
    for plane in frame.planes:
        lines = [picture[at + y * plane.width :][: plane.width] for y in range(plane.height)]
        plane.update(b"".join(line.ljust(plane.line_size, b"\0") for line in lines))
        at += plane.width * plane.height


def read_all(coded: bytes) -> list[Mark]:
    with av.open(io.BytesIO(coded)) as container:
        return [counter.read_mark(frame) for frame in container.decode(video=0)]
