"""A key picture to JPEG, in a process of its own: `python -m services.media.picture <idle seconds>`.

It reads requests from standard input and writes answers to standard output, one after the other, until its
input ends or nothing has come for so long. A decoder that is led astray by what a camera sends, or that eats
memory, ends this process and nothing else. `services.media.pictures` is the other end.
"""

import io
import select
import struct
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, cast

from services.media.worker import exactly, step_back

if TYPE_CHECKING:
    from av import VideoCodecContext, VideoFrame

REQUEST = struct.Struct(">4sHHI")
"""Codec (`h264` or `hevc`), most width and height of the JPEG in pixels (0: any), size of the access unit."""
ANSWER = struct.Struct(">BI")
"""1 and the size of a JPEG, or 0 and the size of a text that says why there is none."""
CODECS = {"H264": b"h264", "H265": b"hevc"}
MAX_UNIT = 8 * 1024 * 1024
MAX_WIDTH = 8192
_PIXELS = 36_000_000
_QUALITY = 3


def jpeg(codec: str, unit: bytes, width: int = 0, height: int = 0) -> bytes:
    """JPEG of an access unit in Annex B form, parameter sets first; raises ValueError or FFmpeg's errors.

    It keeps the picture's shape, is at most as wide and high as asked (0: any), and never larger than it.
    """
    import av

    decoder = cast("VideoCodecContext", av.CodecContext.create(codec, "r"))
    decoder.thread_count = 1
    frames = [*decoder.decode(av.Packet(unit)), *decoder.decode(None)]
    if not frames:
        raise ValueError("there is no picture in it")
    frame = frames[0]
    if frame.width * frame.height > _PIXELS:
        raise ValueError(f"a picture of {frame.width}x{frame.height} is too large")
    scale = min(1.0, (width or frame.width) / frame.width, (height or frame.height) / frame.height)
    across, down = (max(2, round(side * scale) & ~1) for side in (frame.width, frame.height))
    return _encoded(frame.reformat(across, down, "yuvj420p"))


def _encoded(frame: "VideoFrame") -> bytes:
    import av

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = frame.time_base = Fraction(1, 25)
    encoder.qmin = encoder.qmax = _QUALITY
    frame.pts = 0
    return b"".join(bytes(one) for one in [*encoder.encode(frame), *encoder.encode(None)])


def _serve(requests: int, answers: BinaryIO, idle: float) -> None:
    reader = io.FileIO(requests, closefd=False)
    while select.select([requests], [], [], idle)[0]:
        head = exactly(reader, REQUEST.size)
        if head is None:
            return
        codec, width, height, size = REQUEST.unpack(head)
        unit = exactly(reader, min(size, MAX_UNIT))
        if unit is None:
            return
        answers.write(_answer(codec.decode(), unit, width, height))
        answers.flush()


def _answer(codec: str, unit: bytes, width: int, height: int) -> bytes:
    try:
        good, body = 1, jpeg(codec, unit, width, height)
    except Exception as reason:  # whatever a decoder says of foreign bytes is an answer
        good, body = 0, f"{type(reason).__name__}: {reason}"[:500].encode()
    return ANSWER.pack(good, len(body)) + body


def main() -> None:
    """Serve until idle."""
    step_back()
    _serve(sys.stdin.fileno(), sys.stdout.buffer, float(sys.argv[1]))


if __name__ == "__main__":
    main()
