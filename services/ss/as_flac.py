"""Recorded G.711 for browsers, which play none: the same samples as FLAC, made when they are asked for."""

from dataclasses import replace

from services.mts import flac, fmp4_sound
from services.ss import boxes
from services.ss.boxes import Frame, Head
from services.ss.sound import Audio, silent

_SEQUENCE = slice(20, 24)


def beginning(head: Head, found: Audio) -> Head:
    """The beginning of a file with such sound, as browsers get it."""
    quiet = silent(head)
    entry = fmp4_sound.flac_entry(flac.stream_info(found.rate, found.channels), found.rate, found.channels)
    return replace(
        quiet, init=fmp4_sound.added(quiet.init, entry, found.rate), mime=f'{quiet.mime[:-1]},flac"'
    )


def fragments(data: bytearray, sounds: list[Frame], found: Audio) -> bytearray:
    """A GOP whose fragments `sounds` are FLAC now, each as long as it was."""
    made, position = bytearray(), 0
    for one in sounds:
        made += data[position : one.offset] + _fragment(data, one, found)
        position = one.end
    return made + data[position:]


def _fragment(data: bytearray, frame: Frame, found: Audio) -> bytes:
    number = int.from_bytes(data[frame.offset : frame.end][_SEQUENCE], "big")
    whole = boxes.sounds(memoryview(data), frame)
    rows = (
        (lasts, flac.parted(flac.expanded(found.codec, bytes(body)), found.channels)) for lasts, body in whole
    )
    return fmp4_sound.fragment(number, frame.tick, [(lasts, flac.frame(row)) for lasts, row in rows])
