"""The picture a lab camera sees: a still background, a patch of moving noise, readable text, and the mark."""

import random
import time
from collections.abc import Callable

from lab import counter
from lab.device.font import line_height, write

NOISE_SHARE = 8  # the noise patch is an eighth of the picture wide and high


class Scene:
    """Makes I420 pictures of one size; cheap, because only the lines that change are touched."""

    def __init__(
        self, width: int, height: int, name: str, look: Callable[[], tuple[float, float, float]] | None = None
    ) -> None:
        """`look` says pan, tilt (degrees) and zoom, written into the picture; without it none are."""
        self._look = look
        self.width, self.height, self.name = width, height, name
        self._picture = bytearray(_background(width, height))
        self._view = memoryview(self._picture)
        self._noise = random.Random(1).randbytes(width * height // NOISE_SHARE)  # noqa: S311 - a picture
        self._scale = max(1, height // 180)

    def picture(self, number: int, now_ms: int, device_time: float) -> memoryview:
        """Picture `number`, made at `now_ms`; the text shows the device's own clock, in seconds since 1970.

        The view is only valid until the next call.
        """
        number &= 0xFFFFFFFF
        mark = counter.draw(counter.Mark(number, now_ms), self.width, self.height)
        self._view[: len(mark)] = mark
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(device_time))
        self._text(f"{stamp}.{int(device_time * 1000) % 1000:03d}  #{number:08d}", 0)
        self._text(self.name.upper(), 1)
        if self._look:
            pan, tilt, zoom = self._look()
            self._text(f"P{pan:06.1f} T{tilt:05.1f} Z{zoom:04.1f}", 2)
        self._move(number)
        return self._view

    def _text(self, words: str, line: int) -> None:
        lines = write(words, self._scale)
        top = counter.rows(self.height) + 8 + line * (line_height(self._scale) + 8)
        for y, pixels in enumerate(lines):
            start = (top + y) * self.width + 2 * self._scale
            self._view[start : start + len(pixels)] = pixels

    def _move(self, number: int) -> None:
        """Noise makes the bits of a real stream; without it a relay would be tested with nothing."""
        wide, high = self.width // NOISE_SHARE, self.height // NOISE_SHARE
        left = (number * 4) % (self.width - wide) & ~1
        top, span = self.height // 2, len(self._noise) - wide
        for y in range(high):
            line = (top + y) * self.width
            self._view[line : line + self.width] = self._still(top + y)
            source = (number * 7919 + y * 1031) % span
            self._view[line + left : line + left + wide] = self._noise[source : source + wide]

    def _still(self, y: int) -> bytes:
        return bytes([_shade(y, self.height)]) * self.width


def _shade(y: int, height: int) -> int:
    return 60 + 120 * y // height


def _background(width: int, height: int) -> bytes:
    luma = b"".join(bytes([_shade(y, height)]) * width for y in range(height))
    half, lines = width // 2, height // 2
    marked = counter.rows(height) // 2 * half
    blue = bytes([128]) * marked + bytes([144]) * (half * lines - marked)
    red = bytes([128]) * marked + bytes([112]) * (half * lines - marked)
    return luma + blue + red
