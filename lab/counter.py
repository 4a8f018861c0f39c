"""The mark a lab camera burns into every picture: a frame counter and a clock that a program can read back.

The mark is three rows of 40 black or white cells at the top. A cell is 1/40 of the width and 1/45 of the
height, so that it falls on whole macroblocks at 16:9 and survives coding and scaling. Each row starts with
four cells white, black, white, black; the other 108 hold, high bits first: counter (32 bits), clock in
milliseconds since 1970 (44 bits), CRC-32 of both as 10 bytes big-endian (32 bits).
"""

import zlib
from dataclasses import dataclass
from typing import Any

COLUMNS, LINES, ROWS = 40, 45, 3
SYNC = "1010"
BLACK, WHITE, LEVEL = 16, 235, 126


class UnreadableError(Exception):
    """The picture carries no mark, or it is damaged."""


@dataclass(frozen=True)
class Mark:
    """What one picture says: its number, and when it was made in milliseconds since 1970."""

    counter: int
    clock_ms: int


def cells(mark: Mark) -> list[str]:
    """The rows of a mark as strings of 0 (black) and 1 (white)."""
    check = zlib.crc32(_covered(mark))
    bits = f"{mark.counter:032b}{mark.clock_ms:044b}{check:032b}"
    step = COLUMNS - len(SYNC)
    return [SYNC + bits[i : i + step] for i in range(0, len(bits), step)]


def draw(mark: Mark, width: int, height: int) -> bytes:
    """The luma of the mark: the top `rows(height)` lines of a picture, `width` bytes each."""
    wide, high = width // COLUMNS, height // LINES
    shades = {"0": bytes([BLACK]) * wide, "1": bytes([WHITE]) * wide}
    lines = ["".join(row) for row in cells(mark)]
    return b"".join(b"".join(shades[cell] for cell in line) * high for line in lines)


def rows(height: int) -> int:
    """How many lines of a picture the mark takes."""
    return ROWS * (height // LINES)


def read(luma: bytes | memoryview, width: int, height: int, stride: int) -> Mark:
    """Read the mark of a luma plane (8 bits a pixel, `stride` bytes a line); raises UnreadableError."""
    lines = [_line(luma, row, width, height, stride) for row in range(ROWS)]
    if any(not line.startswith(SYNC) for line in lines):
        raise UnreadableError("no mark at the top of the picture")
    bits = "".join(line[len(SYNC) :] for line in lines)
    counter, clock, check = bits[:32], bits[32:76], bits[76:]
    mark = Mark(int(counter, 2), int(clock, 2))
    if zlib.crc32(_covered(mark)) != int(check, 2):
        raise UnreadableError("the mark is damaged")
    return mark


def read_mark(frame: Any) -> Mark:  # noqa: ANN401 - a camera has no PyAV, so its type cannot be named here
    """The mark of a decoded PyAV VideoFrame whose first plane is 8-bit luma; raises UnreadableError."""
    plane = frame.planes[0]
    return read(memoryview(plane), frame.width, frame.height, plane.line_size)


def read_frame(frame: Any) -> int:  # noqa: ANN401 - as above
    """The counter of a decoded PyAV VideoFrame; raises UnreadableError."""
    return read_mark(frame).counter


def _covered(mark: Mark) -> bytes:
    return mark.counter.to_bytes(4, "big") + mark.clock_ms.to_bytes(6, "big")


def _line(luma: bytes | memoryview, row: int, width: int, height: int, stride: int) -> str:
    y = (2 * row + 1) * height // (2 * LINES)
    middles = ((2 * column + 1) * width // (2 * COLUMNS) for column in range(COLUMNS))
    return "".join("1" if luma[y * stride + x] > LEVEL else "0" for x in middles)
