"""The sound track of recorded files: what it is, how to leave it out, and where its samples belong."""

from dataclasses import dataclass, replace
from functools import lru_cache

from services.ss import boxes
from services.ss.boxes import Frame, Head, TornError

NEAR_SECONDS, ASTRAY_SECONDS = 0.08, 0.5
"""Sound that is off by less stays as it is; by more than the second it begins anew, as after a gap."""
CODECS = {b"mp4a": "MPEG4-GENERIC", b"Opus": "OPUS", b"ulaw": "PCMU", b"alaw": "PCMA"}
NAMES = {"MPEG4-GENERIC": "AAC", "OPUS": "Opus", "PCMU": "G.711 (PCMU)", "PCMA": "G.711 (PCMA)"}
PLAIN = ("PCMU", "PCMA")
"""What no browser plays as it is."""
_WAY = (b"mdia", b"minf", b"stbl", b"stsd")
_STSD_HEAD, _AUDIBLE_HEAD, _CONFIG_TAG = 8, 28, 5


@dataclass(frozen=True)
class Audio:
    """Codec as RTP calls it, ticks of its track in a second, channels, and the AudioSpecificConfig of AAC."""

    codec: str
    rate: int
    channels: int
    config: bytes = b""

    @property
    def name(self) -> str:
        """For people."""
        return NAMES[self.codec]


@lru_cache(maxsize=64)
def audio(init: bytes) -> Audio | None:
    """What the sound of an init segment is; None without any. Raises boxes.TornError."""
    try:
        track = _track(init)
        return _described(track) if track else None
    except (StopIteration, KeyError, IndexError) as error:
        raise TornError("its init segment has sound that is not known") from error


def sound_rate(init: bytes) -> int:
    """Ticks of the sound in a second; raises boxes.TornError where there is none."""
    if (found := audio(init)) is None:
        raise TornError("it holds sound that its init segment does not tell")
    return found.rate


def silent(head: Head) -> Head:
    """The same beginning without the sound track."""
    if not _track(head.init):
        return head
    mime = head.mime.rpartition(",")[0] + '"' if "," in head.mime else head.mime
    return replace(head, init=without(head.init), mime=mime)


@lru_cache(maxsize=64)
def without(init: bytes) -> bytes:
    """An init segment as it would be without sound."""
    made = b""
    for kind, body in boxes.inside(init):
        made += _box(kind, _quiet(body) if kind == b"moov" else body)
    return made


def pictures(data: bytearray, sounds: list[Frame]) -> bytearray:
    """Fragments without those of sound."""
    parts, position = [], 0
    for one in sounds:
        parts.append(data[position : one.offset])
        position = one.end
    return bytearray().join([*parts, data[position:]]) if sounds else data


class Row:
    """The samples of one reading, unbroken: each fragment goes right behind the one before.

    Sound has its own pace, which is never stretched, as that would be heard: where it has come apart from the
    pictures by more than NEAR_SECONDS, samples are left out, or the last one stands for longer.
    """

    def __init__(self) -> None:
        self._end = self._rate = 0

    def put(self, data: bytearray, frame: Frame, wanted: int, rate: int) -> Frame | None:
        """Give a fragment of `data` its time, as near to `wanted` (ticks) as that goes; its size stays.

        Returns what of it is left.
        """
        lasts = max(1, frame.duration // frame.samples)
        start = self._end
        off = wanted - start
        if self._rate != rate or abs(off) > ASTRAY_SECONDS * rate:
            start, off = max(0, wanted), min(0, wanted)
        elif abs(off) <= max(NEAR_SECONDS * rate, lasts * 3 // 5):
            off = 0
        if off > 0:
            boxes.stretch(data, frame, off)
        gone = boxes.table(data, frame)[: min(frame.samples, -(min(0, off) // lasts))]
        boxes.retime(data, frame, start)
        frame = replace(frame, tick=start)
        self._end, self._rate = start + frame.duration + max(0, off) - sum(ticks for ticks, _ in gone), rate
        return boxes.skip(data, frame, len(gone)) if gone else frame


def _track(init: bytes) -> bytes | None:
    moov = next((body for kind, body in boxes.inside(init) if kind == b"moov"), b"")
    tracks = [body for kind, body in boxes.inside(moov) if kind == b"trak"]
    return tracks[1] if len(tracks) > 1 else None


def _quiet(moov: bytes) -> bytes:
    made, tracks = b"", 0
    for kind, body in boxes.inside(moov):
        tracks += kind == b"trak"
        if kind == b"mvex":
            body = _box(b"trex", next(inner for _, inner in boxes.inside(body)))
        if kind != b"trak" or tracks == 1:
            made += _box(kind, body)
    return made


def _described(track: bytes) -> Audio:
    inside, rate = track, 0
    for name in _WAY:
        found = dict(boxes.inside(inside))
        rate = int.from_bytes(found[b"mdhd"][12:16], "big") if b"mdhd" in found else rate
        inside = found[name]
    kind, body = next(boxes.inside(inside[_STSD_HEAD:]))
    return Audio(CODECS[kind], rate, body[17], _config(body[_AUDIBLE_HEAD:]) if kind == b"mp4a" else b"")


def _config(entry: bytes) -> bytes:
    """The AudioSpecificConfig: in descriptors within each other (ISO/IEC 14496-1 §7.2.6)."""
    descriptors = next(body for kind, body in boxes.inside(entry) if kind == b"esds")[4:]
    stream = descriptors[5:]
    decoder = stream[2:]
    specific = decoder[13:]
    if specific[0] != _CONFIG_TAG:
        raise KeyError("esds")
    return specific[2 : 2 + specific[1]]


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body
