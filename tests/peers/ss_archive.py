"""Recordings as DSS_SS finds them on its disks, written at once; number and clock are burnt in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from lab.counter import Mark, draw
from services.media.plans import CONTINUOUS
from services.mts import fmp4
from services.ss import segment
from services.ss.entry import GAP, JOINED, SECOND, place

RATE, FPS, GOP = 90_000, 25, 50
WIDTH, HEIGHT = 640, 360
FILE_GOPS = 30
PARAMETERS = (7, 8)


@dataclass(frozen=True)
class Footage:
    """Encoded pictures, one after the other from `start` (microseconds since 1970)."""

    start: int
    init: bytes
    mime: str
    samples: tuple[bytes, ...]


def footage(start: int, seconds: int, width: int = WIDTH, height: int = HEIGHT) -> Footage:
    """25 pictures a second, a key frame each two seconds; picture n carries n and its moment."""
    codec = av.VideoCodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.gop_size, codec.bit_rate, codec.thread_count = FPS, GOP, 300_000, 1
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:bframes=0"}
    frame = av.VideoFrame(width, height, "yuv420p")
    planes = [bytearray(bytes([shade]) * plane.buffer_size)
              for shade, plane in zip((90, 128, 128), frame.planes, strict=True)]  # fmt: skip
    packets = []
    for number in range(seconds * FPS):
        mark = draw(Mark(number, (start + number * SECOND // FPS) // 1000), width, height)
        planes[0][: len(mark)] = mark
        for plane, data in zip(frame.planes, planes, strict=True):
            plane.update(data)
        frame.pts = number
        packets += codec.encode(frame)
    packets += codec.encode(None)
    return _packed(start, [list(_units(bytes(packet))) for packet in packets])


def write(root: Path, channel: str, shown: Footage, first: int = 0, last: int = 0, seq: int = 1,
          drift: float = 0.0) -> int:  # fmt: skip
    """Keep a channel's seconds from `first` to before `last` (even numbers); the next file's number.

    `drift`: how much too fast the camera's own clock runs, as a share.
    """
    numbers = range(first * FPS, (last or len(shown.samples) // FPS) * FPS, GOP)
    for index in range(0, len(numbers), FILE_GOPS):
        part = numbers[index : index + FILE_GOPS]
        start = shown.start + part[0] * SECOND // FPS
        path = root / place(channel, seq, start, JOINED if index else GAP)
        path.parent.mkdir(parents=True, exist_ok=True)
        body = b"".join(_group(shown, number, drift) for number in part)
        path.write_bytes(segment.head(shown.init, shown.mime, RATE, CONTINUOUS) + body)
        seq += 1
    return seq


def _group(shown: Footage, first: int, drift: float) -> bytes:
    body = fmp4.stamp(0, shown.start + first * SECOND // FPS)
    for number in range(first, first + GOP):
        tick, after = (round(n * RATE / FPS * (1 + drift)) for n in (number, number + 1))
        sample = shown.samples[number]
        body += fmp4.fragment(number, tick, after - tick, number == first, len(sample)) + sample
    return body


def _units(data: bytes) -> Iterator[bytes]:
    """NAL units of an Annex B packet."""
    yield from data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]


def _packed(start: int, pictures: list[list[bytes]]) -> Footage:
    sps, pps = ([unit for unit in pictures[0] if unit[0] & 31 == kind] for kind in PARAMETERS)
    facts, entry = fmp4.avc_entry(sps, pps)
    samples = tuple(
        b"".join(len(unit).to_bytes(4, "big") + unit for unit in units if unit[0] & 31 not in PARAMETERS)
        for units in pictures
    )
    mime = f'video/mp4; codecs="{facts.codec}"'
    return Footage(start, fmp4.init_segment(facts, entry, RATE), mime, samples)
