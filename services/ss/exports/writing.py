"""A piece as an MP4 file: fragmented as recorded, or plain with its table in front, never re-encoded."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

from services.ss import boxes
from services.ss.boxes import Frame, TornError
from services.ss.exports.hearing import Samples, Track
from services.ss.exports.pieces import Piece
from services.ss.exports.window import Window
from services.ss.reader import Place, whole

_TABLE, _PER_FRAME = 16 * 1024, 40
"""What the table in front takes at most: in all, and for each picture in its six lists."""
_DEEPEST = 32

Wrote = Callable[[int], None]


class SourceGoneError(Exception):
    """A recording was deleted, cannot be read, or is not as it was when the piece was planned."""


@dataclass(frozen=True)
class Picture:
    """One picture: decode time, presentation offset and duration in ticks, whether it is a key frame."""

    tick: int
    shift: int
    duration: int
    key: bool
    data: memoryview


@dataclass(frozen=True)
class Written:
    """What went in: how long its pictures last in the camera's ticks, and how many bytes of sound.

    The index cannot tell how long the last picture of a file lasts: its end may be one by the clock.
    """

    ticks: int
    heard: int


class _LateError(Exception):
    """A picture is shown before it is decoded, by so many ticks: all are to be shown later."""


def write(piece: Piece, form: str, window: Window, wrote: Wrote) -> Written:
    """Write it; `wrote` hears how many bytes of the recording went in. OSError, SourceGoneError."""
    if form == "fmp4":
        return _fragments(piece, window, wrote)
    delay = 0
    for _ in range(_DEEPEST):
        try:
            return _plain(piece, window, wrote, delay)
        except _LateError as late:
            delay = int(late.args[0])
            window.seek(0)
    raise SourceGoneError("its pictures are in no order that can be shown")


def _fragments(piece: Piece, window: Window, wrote: Wrote) -> Written:
    window.write(piece.init)
    zero, track, heard = _first_tick(piece), Track(piece), 0
    for place in piece.places:
        data, frames, sounds = _gop(place)
        for frame in frames:
            boxes.retime(data, frame, frame.tick - zero)
        heard += sum(len(body) for one in track.placed(data, sounds) for _, body in one.parts)
        window.write(data)
        wrote(len(data))
    return Written(frames[-1].tick + frames[-1].duration - zero, heard)


def _plain(piece: Piece, window: Window, wrote: Wrote, delay: int) -> Written:
    track = Track(piece)
    room = _TABLE + len(piece.init) + _PER_FRAME * (piece.frames + track.count())
    with av.open(window, "w", format=track.form, options={"moov_size": str(room)}) as made:
        with av.open(io.BytesIO(piece.init + _gop(piece.places[0])[0])) as source:
            recorded = source.streams.video[0]
            stream = made.add_stream_from_template(recorded)
            # libav would call H.265 hev1, which Apple's players refuse.
            stream.codec_context.codec_tag = recorded.codec_context.codec_tag
            line = made.add_stream_from_template(source.streams.audio[0]) if track.audio else None
        base, zero, heard = Fraction(1, piece.timescale), _first_tick(piece), 0
        for place in piece.places:
            data, frames, sounds = _gop(place)
            for sound in track.placed(data, sounds):
                if line is not None and track.audio:
                    heard += _mux_sound(made, line, sound, track.audio.rate)
            for one in pictures(data, frames):
                if one.shift + delay < 0:
                    raise _LateError(-one.shift)
                packet = av.Packet(bytes(one.data))
                packet.stream, packet.time_base = stream, base
                packet.dts = one.tick - zero - delay
                packet.pts = one.tick - zero + one.shift
                packet.duration, packet.is_keyframe = one.duration, one.key
                made.mux(packet)
            wrote(place.bytes[1])
    return Written(frames[-1].tick + frames[-1].duration - zero, heard)


def _mux_sound(made: OutputContainer, line: AudioStream, sound: Samples, rate: int) -> int:
    """Returns how many bytes went in."""
    tick = sound.tick
    for lasts, body in sound.parts:
        packet = av.Packet(bytes(body))
        packet.stream, packet.time_base = line, Fraction(1, rate)
        packet.dts = packet.pts = tick
        packet.duration, packet.is_keyframe = lasts, True
        made.mux(packet)
        tick += lasts
    return sum(len(body) for _, body in sound.parts)


def pictures(data: bytearray, frames: list[Frame]) -> Iterator[Picture]:
    """The pictures of a GOP as recorded."""
    view = memoryview(data)
    for frame in frames:
        shift, sample = boxes.sample(view, frame)
        yield Picture(frame.tick, shift, frame.duration, bool(frame.at), sample)


def _gop(place: Place) -> tuple[bytearray, list[Frame], list[Frame]]:
    """A GOP, its pictures and its sound as they were when it was planned; SourceGoneError."""
    name, gop = place.entry.path.name, place.entry.gops[place.number]
    try:
        data, frames, sounds = whole(place)
    except FileNotFoundError as error:
        raise SourceGoneError(f"{name} was deleted to make room") from error
    except OSError as error:
        # Not the disk of the export is at fault, which an OSError would say.
        raise SourceGoneError(f"{name} cannot be read: {error.strerror or error}") from error
    except TornError as error:
        raise SourceGoneError(f"{name} is not as it was") from error
    if len(frames) != gop.frames or frames[0].tick != gop.tick:
        raise SourceGoneError(f"{name} is not as it was")
    return data, frames, sounds


def _first_tick(piece: Piece) -> int:
    first = piece.places[0]
    return first.entry.gops[first.number].tick
