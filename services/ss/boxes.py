"""Reading recorded files back: fragments in the layout of services.mts.fmp4, checked to the last sample."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from services.media.plans import CONTINUOUS, KINDS
from services.ss.entry import CAMERA, Gop

STAMP_SIZE = 32
_SHIFTED = 104
"""Size of a moof whose sample has a presentation offset, which stands at its end."""
_FRAME = struct.Struct(">Q8xI8xIII")
"""From tfdt on: decode time, flags of trun, duration, size and flags of the sample."""
_NTP_EPOCH = 2_208_988_800
_PEEK = 256
_SOUND_TRACK = (2).to_bytes(4, "big")
_SOUND = struct.Struct(">Q8xII")
"""From tfdt on: decode time, flags of trun, how many samples."""
_SOUND_HEAD = 88
_ENTRY = struct.Struct(">II")
_MOST_SOUND = _SOUND_HEAD + 512 * _ENTRY.size + 8
"""The head of a fragment of as many samples as DSS_MTS puts into one."""
_EMPTY = 8
"""So many zeros are the page of a file that a power cut left, and no sample of sound."""
_MOST_HEAD = 256 * 1024


class Source(Protocol):
    """The bytes of a file, as storage.Plain gives them."""

    @property
    def size(self) -> int: ...

    def read(self, size: int, offset: int) -> bytes: ...


class TornError(ValueError):
    """The bytes are no whole fragments."""


@dataclass(frozen=True)
class Head:
    """What a file begins with: the init segment, what it shows, timescale, kind and source."""

    init: bytes
    mime: str
    timescale: int
    size: int
    kind: str = CONTINUOUS
    source: str = ""


@dataclass(frozen=True)
class Frame:
    """One fragment: where it begins and ends, its time in ticks; `at` only before a key frame, else 0.

    One of sound has ticks of its own track, and how many samples it holds; a picture has none.
    """

    offset: int
    end: int
    tick: int
    duration: int
    at: int
    samples: int = 0


@dataclass(frozen=True)
class Scan:
    """What is whole in a file: its GOPs, the tick behind the last frame, and the bytes up to there."""

    head: Head
    gops: tuple[Gop, ...]
    end_tick: int
    size: int


def note(mime: str, timescale: int, kind: str = CONTINUOUS, source: str = "") -> bytes:
    """The `free` box behind the init segment: type, timescale, why it was recorded, where it was fetched."""
    said = {"mime": mime, "timescale": timescale, "kind": kind} | ({"source": source} if source else {})
    text = json.dumps(said).encode()
    return (8 + len(text)).to_bytes(4, "big") + b"free" + text


def head(file: Source) -> Head:
    """The beginning of a file; TornError if it is not whole."""
    position, init = 0, b""
    for kind in (b"ftyp", b"moov", b"free"):
        begin = file.read(8, position)
        size = int.from_bytes(begin[:4], "big")
        if begin[4:] != kind or not 8 < size < _MOST_HEAD:
            raise TornError("it does not begin with a whole init segment")
        box = file.read(size, position)
        if len(box) != size:
            raise TornError("it ends inside its init segment")
        init += box if kind != b"free" else b""
        position += size
    try:
        about = json.loads(box[8:])
        # Files of earlier releases do not say it, and were recorded continuously.
        why = about.get("kind")
        mime, timescale = str(about["mime"]), int(about["timescale"])
        source = CAMERA if about.get("source") == CAMERA else ""
        return Head(init, mime, timescale, position, why if why in KINDS else CONTINUOUS, source)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise TornError("it does not say what it holds") from error


def scan(file: Source) -> Scan:
    """Read every fragment's header, and the samples' own lengths; stops at the first that is not whole."""
    start, size = head(file), file.size
    gops: list[Gop] = []
    end, end_tick = start.size, 0
    try:
        for frame in frames(file, start.size, size):
            if frame.at:
                gops.append(Gop(frame.offset, frame.at, frame.tick, 0))
            elif not gops:
                raise TornError("it does not begin with a key frame")
            end = frame.end
            if frame.samples:
                continue
            last = gops[-1]
            gops[-1] = Gop(last.offset, last.at, last.tick, last.frames + 1)
            end_tick = frame.tick + frame.duration
    except TornError:
        pass
    return Scan(start, tuple(gops), end_tick, end)


def frames(file: Source, start: int, size: int) -> Iterator[Frame]:
    """Fragment by fragment; TornError where they stop being whole."""
    for frame in heads(file, start, size):
        (_check_sound if frame.samples else _check_sample)(file, frame)
        yield frame


def heads(file: Source, start: int, size: int) -> Iterator[Frame]:
    """The same by the heads of the fragments alone."""
    while start < size:
        data = file.read(_PEEK, start)
        if data[4:8] == b"free" and (free := int.from_bytes(data[:4], "big")) >= 8:
            start += free
            continue
        if _is_sound(data):
            data = file.read(_MOST_SOUND, start)
        frame = _frame(data, start, size)
        yield frame
        start = frame.end


def split(data: bytes | bytearray) -> tuple[list[Frame], list[Frame]]:
    """The pictures and the sound of bytes; TornError where they stop being whole."""
    found = list(parse(data))
    return [one for one in found if not one.samples], [one for one in found if one.samples]


def parse(data: bytes | bytearray) -> Iterator[Frame]:
    """The fragments of bytes; TornError where they stop being whole."""
    position, view = 0, memoryview(data)
    while position < len(data):
        frame = _frame(view[position : position + _MOST_SOUND], position, len(data))
        yield frame
        position = frame.end


def sample(data: memoryview, frame: Frame) -> tuple[int, memoryview]:
    """The presentation offset of a fragment of `data`, in ticks, and its picture."""
    moof = _moof(frame)
    size = int.from_bytes(data[moof : moof + 4], "big")
    shift = int.from_bytes(data[moof + 100 : moof + 104], "big", signed=True) if size == _SHIFTED else 0
    return shift, data[moof + size + 8 : frame.end]


def retime(data: bytearray, frame: Frame, tick: int, duration: int | None = None) -> None:
    """Give a fragment of `data` another decode time, and another duration where one is given."""
    where = _moof(frame) + 60
    data[where : where + 8] = tick.to_bytes(8, "big")
    if duration is not None:
        data[where + 28 : where + 32] = duration.to_bytes(4, "big")


def inside(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of boxes that stand behind each other; what is no whole one ends them."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size < 8:
            return
        yield data[position + 4 : position + 8], data[position + 8 : position + size]
        position += size


def table(data: memoryview | bytearray, frame: Frame) -> list[tuple[int, int]]:
    """Duration and size of each sample of a fragment of sound."""
    begin = frame.offset + _SOUND_HEAD
    return list(_ENTRY.iter_unpack(data[begin : begin + _ENTRY.size * frame.samples]))


def sounds(data: memoryview, frame: Frame) -> list[tuple[int, memoryview]]:
    """Duration and bytes of each sample of a fragment of sound."""
    found, position = [], frame.offset + _SOUND_HEAD + _ENTRY.size * frame.samples + 8
    for duration, size in table(data, frame):
        found.append((duration, data[position : position + size]))
        position += size
    return found


def heard(frame: Frame) -> int:
    """Bytes of all samples of a fragment of sound."""
    return frame.end - frame.offset - _SOUND_HEAD - _ENTRY.size * frame.samples - 8


def stretch(data: bytearray, frame: Frame, ticks: int) -> None:
    """Have the first sample of a fragment of sound last longer."""
    begin = frame.offset + _SOUND_HEAD
    lasts = int.from_bytes(data[begin : begin + 4], "big") + ticks
    data[begin : begin + 4] = lasts.to_bytes(4, "big")


def skip(data: bytearray, frame: Frame, count: int) -> Frame | None:
    """Leave the first samples of a fragment of sound out, and have as many free bytes before what is left."""
    whole = table(data, frame)
    kept, gone = whole[count:], sum(size for _, size in whole[:count])
    begin, head = frame.offset, _SOUND_HEAD + _ENTRY.size * len(kept)
    if not kept:
        data[begin : frame.end] = _free(frame.end - begin)
        return None
    rest = bytes(
        data[begin + _SOUND_HEAD + _ENTRY.size * count : begin + _SOUND_HEAD + _ENTRY.size * len(whole)]
    )
    body = bytes(data[frame.end - sum(size for _, size in kept) : frame.end])
    moof = bytearray(data[begin : begin + _SOUND_HEAD])
    moof[0:4], moof[24:28] = head.to_bytes(4, "big"), (head - 24).to_bytes(4, "big")
    moof[68:72] = (head - 68).to_bytes(4, "big")
    moof[80:84], moof[84:88] = len(kept).to_bytes(4, "big"), (head + 8).to_bytes(4, "big")
    mdat = (8 + len(body)).to_bytes(4, "big") + b"mdat" + body
    free = gone + _ENTRY.size * count
    data[begin : frame.end] = _free(free) + moof + rest + mdat
    lasts = sum(ticks for ticks, _ in kept)
    return replace(frame, offset=begin + free, duration=lasts, samples=len(kept))


def _free(size: int) -> bytes:
    return size.to_bytes(4, "big") + b"free" + bytes(size - 8)


def _is_sound(data: bytes | memoryview) -> bool:
    return data[44:48] == _SOUND_TRACK and data[4:8] == b"moof"


def _moof(frame: Frame) -> int:
    return frame.offset + (STAMP_SIZE if frame.at else 0)


def _frame(data: bytes | memoryview, offset: int, size: int) -> Frame:
    if _is_sound(data):
        return _heard(data, offset, size)
    at = 0
    if bytes(data[4:8]) == b"prft":
        at = _arrival(int.from_bytes(data[16:24], "big"))
        data = data[STAMP_SIZE:]
    moof = int.from_bytes(data[:4], "big")
    if (
        bytes(data[4:8]) != b"moof"
        or moof not in (100, _SHIFTED)
        or bytes(data[moof + 4 : moof + 8]) != b"mdat"
    ):
        raise TornError(f"no fragment at {offset}")
    tick, _, duration, sample, _ = _FRAME.unpack_from(data, 60)
    mdat = int.from_bytes(data[moof : moof + 4], "big")
    end = offset + (STAMP_SIZE if at else 0) + moof + mdat
    if mdat != sample + 8 or end > size:
        raise TornError(f"the fragment at {offset} is not whole")
    return Frame(offset, end, tick, duration, at)


def _heard(data: bytes | memoryview, offset: int, size: int) -> Frame:
    """A fragment of sound: its table, and nothing but what the table says."""
    if len(data) < _SOUND_HEAD:
        raise TornError(f"the sound at {offset} is not whole")
    tick, flags, count = _SOUND.unpack_from(data, 60)
    moof = _SOUND_HEAD + _ENTRY.size * count
    if flags != 0x301 or not count or len(data) < moof + 8 or bytes(data[moof + 4 : moof + 8]) != b"mdat":
        raise TornError(f"no fragment of sound at {offset}")
    samples = list(_ENTRY.iter_unpack(data[_SOUND_HEAD:moof]))
    body = sum(size for _, size in samples)
    told = int.from_bytes(data[:4], "big"), int.from_bytes(data[moof : moof + 4], "big")
    end = offset + moof + 8 + body
    if told != (moof, body + 8) or end > size:
        raise TornError(f"the sound at {offset} is not whole")
    return Frame(offset, end, tick, sum(lasts for lasts, _ in samples), 0, count)


def _arrival(ntp: int) -> int:
    seconds, rest = ntp >> 32, ntp & 0xFFFFFFFF
    return (seconds - _NTP_EPOCH) * 1_000_000 + (rest * 1_000_000 + (1 << 31) >> 32)


def _check_sample(file: Source, frame: Frame) -> None:
    """Each NAL unit of the sample has a length, and together they fill it: pages of zeros do not."""
    data = file.read(_PEEK, frame.offset)
    base = STAMP_SIZE if frame.at else 0
    position = frame.offset + base + int.from_bytes(data[base : base + 4], "big") + 8
    while position < frame.end:
        length = int.from_bytes(file.read(4, position), "big")
        position += 4 + length
        if not length or position > frame.end:
            raise TornError(f"the picture at {frame.offset} is not whole")


def _check_sound(file: Source, frame: Frame) -> None:
    """No sample is all zeros, as pages are that a power cut left."""
    data = file.read(frame.end - frame.offset, frame.offset)
    whole = Frame(0, len(data), 0, 0, 0, frame.samples)
    for _, sample in sounds(memoryview(data), whole):
        if len(sample) >= _EMPTY and not any(sample):
            raise TornError(f"the sound at {frame.offset} is not whole")
