"""A track of sound in fragmented MP4, the second one or alone.

AAC (ISO/IEC 14496-1, -14), Opus and FLAC in ISOBMFF, and G.711.
"""

import struct

from services.mts.fmp4 import VIDEO_TRACK, box, extends, full, movie, track

SOUND_TRACK = 2
_FTYP = 28
_MVEX = 40
_MOOF = struct.Struct(">I4sI4sIII4sI4sIII4sIQI4sIIi")


def aac_entry(config: bytes, rate: int, channels: int) -> bytes:
    """The `mp4a` sample entry; `config` is the AudioSpecificConfig."""
    decoder = struct.pack(">BBHBII", 0x40, 0x15, 0, 0, 0, 0) + _described(5, config)
    stream = struct.pack(">HB", SOUND_TRACK, 0) + _described(4, decoder) + _described(6, b"\x02")
    return _audible(b"mp4a", rate, channels, full(b"esds", 0, _described(3, stream)))


def opus_entry(channels: int) -> bytes:
    """The `Opus` sample entry with its `dOps`; nothing is to be skipped in the middle of a stream."""
    return _audible(
        b"Opus", 48_000, channels, box(b"dOps", struct.pack(">BBHIhB", 0, channels, 0, 48_000, 0, 0))
    )


def flac_entry(stream_info: bytes, rate: int, channels: int) -> bytes:
    """The `fLaC` sample entry with its `dfLa`: the one metadata block that is needed, marked as the last."""
    block = b"\x80" + len(stream_info).to_bytes(3, "big") + stream_info
    return _audible(b"fLaC", rate, channels, full(b"dfLa", 0, block))


def plain_entry(kind: bytes, rate: int) -> bytes:
    """The sample entry of G.711, `ulaw` or `alaw`: one channel, and nothing more to say of it."""
    return _audible(kind, rate, 1, b"")


def added(segment: bytes, entry: bytes, timescale: int) -> bytes:
    """An init segment of `fmp4.init_segment` with a sound track beside the picture."""
    both = box(b"mvex", extends(VIDEO_TRACK), extends(SOUND_TRACK))
    return segment[:_FTYP] + box(b"moov", segment[_FTYP + 8 : -_MVEX], _track(entry, timescale), both)


def alone(entry: bytes, timescale: int) -> bytes:
    """An init segment of sound without a picture."""
    return movie(timescale, _track(entry, timescale), SOUND_TRACK)


def _track(entry: bytes, timescale: int) -> bytes:
    return track(SOUND_TRACK, timescale, b"soun", full(b"smhd", 0, bytes(4)), entry, bytes(8))


def fragment(sequence: int, tick: int, samples: list[tuple[int, bytes]]) -> bytes:
    """moof + mdat of samples that follow each other, each with its duration, in ticks of the track."""
    # tfhd, tfdt and trun before its table; the data offset counts from the moof's beginning.
    size = 8 + 16 + 8 + 16 + 20 + 20 + 8 * len(samples)
    moof = _MOOF.pack(size, b"moof", 16, b"mfhd", 0, sequence, size - 24, b"traf", 16, b"tfhd", 0x20000,
                      SOUND_TRACK, 20, b"tfdt", 0x1000000, tick, 20 + 8 * len(samples), b"trun", 0x301,
                      len(samples), size + 8)  # fmt: skip
    table = b"".join(struct.pack(">II", lasts, len(body)) for lasts, body in samples)
    return moof + table + box(b"mdat", *(body for _, body in samples))


def _audible(kind: bytes, rate: int, channels: int, configuration: bytes) -> bytes:
    rate = rate if rate < 1 << 16 else 0
    return box(kind, struct.pack(">6xH8x2H4xI", 1, channels, 16, rate << 16), configuration)


def _described(tag: int, body: bytes) -> bytes:
    """A descriptor (ISO/IEC 14496-1 §8.3.3) of less than 128 bytes."""
    return bytes((tag, len(body))) + body
