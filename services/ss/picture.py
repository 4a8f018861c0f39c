"""A program that makes small pictures of key frames: `python -m services.ss.picture`.

On its input stand MP4 files with one picture, on its output JPEGs in the same order, each behind its length
in four bytes, high byte first; the length 0 says that there is none. It ends with its input. It is no part of
DSS_SS's process: libav takes 20 MB, and what cameras send may end it.
"""

import contextlib
import io
import os
import sys
from fractions import Fraction
from typing import BinaryIO

import av

WIDE, HIGH = 320, 180
QUIET = 15
"""How far it steps back behind the recorder (nice)."""


def jpeg(mp4: bytes) -> bytes:
    """The first picture, at most 320 x 180; ValueError, OSError or StopIteration without one."""
    with av.open(io.BytesIO(mp4), "r", format="mp4") as container:
        container.streams.video[0].codec_context.thread_count = 1
        frame = next(container.decode(video=0))
    width, height = fitting(frame.width, frame.height)
    small = frame.reformat(width, height, "yuvj420p")
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))


def fitting(width: int, height: int) -> tuple[int, int]:
    """The size within the bounds that keeps the shape, in even numbers."""
    scale = min(1.0, WIDE / width, HIGH / height)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def serve(asked: BinaryIO, told: BinaryIO) -> None:
    """Answer until the input ends."""
    while len(size := asked.read(4)) == 4:
        mp4 = asked.read(int.from_bytes(size, "big"))
        try:
            found = jpeg(mp4)
        except (ValueError, OSError, StopIteration):
            found = b""
        told.write(len(found).to_bytes(4, "big") + found)
        told.flush()


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(QUIET)
    serve(sys.stdin.buffer, sys.stdout.buffer)
