"""Reading an exported file back from the disk: pictures and duration must be those of the recording."""

import hashlib
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
from av.error import FFmpegError

from services.ss import boxes
from services.ss.boxes import TornError
from services.ss.exports import results
from services.ss.exports.pieces import Piece
from services.ss.exports.results import BUFFER, At
from services.ss.exports.window import Window
from services.ss.exports.writing import Written

Measure = tuple[int, Fraction, Fraction, int]
"""Pictures, their duration and that of the longest one, seconds; bytes of sound."""


class VerifyError(Exception):
    """The file is not what it should be."""


@dataclass(frozen=True)
class Proof:
    """What was found in the file."""

    frames: int
    seconds: float
    size: int
    crc: int
    sha256: str


def verify(file: BinaryIO, base: int, size: int, piece: Piece, form: str, written: Written) -> Proof:
    """Read `size` bytes at `base` back; VerifyError if they are not what went in, OSError from the disk."""
    results.forget(file)
    crc, sha256 = sums(Window(file, base, size))
    if form == "fmp4":
        found = _fragments(At(file, base + size), base, size, piece)
    else:
        found = _demuxed(Window(file, base, size))
    frames, lasts, longest, sound = found
    wanted = Fraction(written.ticks, piece.timescale)
    if frames != piece.frames:
        raise VerifyError(f"it holds {frames} pictures instead of {piece.frames}")
    if abs(lasts - wanted) > longest:
        raise VerifyError(f"it lasts {float(lasts):.3f} s instead of {float(wanted):.3f} s")
    if sound != written.heard:
        raise VerifyError(f"it holds {sound} bytes of sound instead of {written.heard}")
    return Proof(frames, round(float(lasts), 6), size, crc, sha256)


def sums(window: Window) -> tuple[int, str]:
    """CRC-32 and SHA-256 (hex) of all that is in a window; raises OSError."""
    crc, digest = 0, hashlib.sha256()
    while data := window.read(BUFFER):
        crc = zlib.crc32(data, crc)
        digest.update(data)
    return crc, digest.hexdigest()


def _fragments(file: At, base: int, size: int, piece: Piece) -> Measure:
    """By our own reader: libav takes a minute for the fragments of six hours, for it looks back at each."""
    head = len(piece.init)
    if file.read(head, base) != piece.init:
        raise VerifyError("its head is not what was recorded")
    frames, first, end, longest, heard = 0, None, 0, 0, 0
    try:
        for one in boxes.frames(file, base + head, base + size):
            if one.samples:
                heard += boxes.heard(one)
                continue
            first = one.tick if first is None else first
            end, longest = one.tick + one.duration, max(longest, one.duration)
            frames += 1
    except TornError as error:
        raise VerifyError(f"it cannot be read back: {error}") from error
    return frames, Fraction(end - (first or 0), piece.timescale), Fraction(longest, piece.timescale), heard


def _demuxed(window: Window) -> Measure:
    frames, first, end, longest, heard = 0, None, Fraction(0), Fraction(0), 0
    try:
        with av.open(window, "r") as made:
            for packet in made.demux():
                if not packet.size or packet.dts is None or packet.time_base is None:
                    continue
                if packet.stream.type == "audio":
                    heard += packet.size
                    continue
                at = packet.dts * packet.time_base
                lasts = (packet.duration or 0) * packet.time_base
                first = at if first is None else first
                end, longest = at + lasts, max(longest, lasts)
                frames += 1
    except FFmpegError as error:
        raise VerifyError(f"it cannot be read back: {error}") from error
    return frames, end - (first or 0), longest, heard
