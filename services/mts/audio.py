"""RTP payloads of sound to samples: AAC (RFC 3640, AAC-hbr and AAC-lbr), Opus (7587), G.711, L16 (3551)."""

from abc import ABC, abstractmethod

from services.mts import flac, fmp4_sound
from services.runtime.sdp import Media

NAMES = {"MPEG4-GENERIC": "AAC", "PCMU": "G.711 (PCMU)", "PCMA": "G.711 (PCMA)", "OPUS": "Opus", "L16": "L16"}
G711_KINDS = {"PCMU": (b"ulaw", b"\xff"), "PCMA": (b"alaw", b"\xd5")}
"""Sample entry, and the byte that is silent."""
_LONGEST_PLAIN = 8192
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_MODES = {"aac-hbr": (13, 3, 3), "aac-lbr": (6, 2, 2)}
_SPECTRAL_BAND = (5, 29)
_MAX_DESCRIBED = 64
_HIGHEST = 48_000
_SHORTEST = 16
_LONGEST = 1 << 16
"""Ticks that a sample lasts at the most: one of 8 kHz on a clock of 90 kHz has 11,520."""


class FormatError(ValueError):
    """A browser cannot be given this sound; the message says why."""


class Format(ABC):
    """One track: `codec` by RFC 6381, its sample entry, and a sample that is silent.

    `duration` is that of `silence` and of every sample, in ticks of `rate`.
    """

    codec: str
    entry: bytes
    rate: int
    duration: int
    silence: bytes

    @abstractmethod
    def samples(self, payload: bytes, timestamp: int) -> list[bytes]:
        """The samples that end in this packet; nothing for a broken one."""


class Aac(Format):
    """Access units behind a table of their sizes; one may be spread over several packets."""

    def __init__(self, media: Media) -> None:
        self._lengths = _lengths(media)
        config = media.audio_config or _config(media)
        kind, core, rate, channels = _described(config)
        if channels not in (1, 2) or len(config) > _MAX_DESCRIBED:
            raise FormatError("its AAC has more than two channels")
        self.codec = f"mp4a.40.{kind}"
        self.entry = fmp4_sound.aac_entry(config, rate, channels)
        self.rate = media.clock_rate
        self.duration = 1024 * self.rate // core
        if not _RATES[-1] <= core <= _RATES[0] or not 0 < self.duration <= _LONGEST:
            raise FormatError(f"its AAC has {core} samples a second on a clock of {self.rate}")
        # One element whose spectrum is empty, then the end (ISO/IEC 14496-3 §4.4.2.1).
        self.silence = b"\x00\x00\x00\x07" if channels == 1 else b"\x20\x00\x00\x00\x00\x00\x0e"
        self._part = b""
        self._timestamp = -1

    def samples(self, payload: bytes, timestamp: int) -> list[bytes]:
        sizes, position = self._sizes(payload)
        found = []
        for size in sizes:
            unit = payload[position : position + size]
            position += size
            if 0 < size == len(unit):
                found.append(unit)
            elif unit and len(sizes) == 1:
                found += self._joined(unit, size, timestamp)
        return found

    def _joined(self, piece: bytes, size: int, timestamp: int) -> list[bytes]:
        self._part = self._part + piece if timestamp == self._timestamp else piece
        self._timestamp = timestamp
        if len(self._part) < size:
            return []
        whole, self._part, self._timestamp = self._part, b"", -1
        return [whole] if len(whole) == size else []

    def _sizes(self, payload: bytes) -> tuple[list[int], int]:
        """Sizes of the access units, and where they begin (RFC 3640 §3.2.1)."""
        left = int.from_bytes(payload[:2], "big")
        begin = 2 + (left + 7) // 8
        if len(payload) < begin:
            return [], begin
        bits = int.from_bytes(payload[2:begin], "big") >> -left % 8
        size, index, delta = self._lengths
        sizes: list[int] = []
        while left >= size + index:
            left -= size
            sizes.append(bits >> left & (1 << size) - 1)
            left -= index
            index = delta
        return sizes, begin


class Opus(Format):
    """One packet, one sample; its own first byte says how long it is (RFC 6716 §3.1)."""

    def __init__(self, media: Media) -> None:
        channels = 2 if media.fmtp.get("sprop-stereo") == "1" else 1
        self.codec, self.entry, self.rate = "opus", fmp4_sound.opus_entry(channels), 48_000
        self.duration = 960
        self.silence = b"\x78"

    def samples(self, payload: bytes, timestamp: int) -> list[bytes]:
        if not payload or not (lasts := _opus_ticks(payload)):
            return []
        self.duration = lasts
        # A frame of this length without any data.
        self.silence = payload[:1] if payload[0] & 3 == 0 else self.silence
        return [payload]


class Plain(Format):
    """G.711 and L16: the samples themselves, as FLAC, which every browser plays; a packet is a frame."""

    codec = "flac"

    def __init__(self, media: Media) -> None:
        self._codec, self._channels, self.rate = media.codec, media.channels, media.clock_rate
        if self._channels not in (1, 2) or not _RATES[-1] <= self.rate <= _HIGHEST:
            raise FormatError(f"its {NAMES[self._codec]} has {self._channels} channels at {self.rate} Hz")
        self.entry = fmp4_sound.flac_entry(
            flac.stream_info(self.rate, self._channels), self.rate, self._channels
        )
        self._lasts(self.rate // 50)

    def samples(self, payload: bytes, timestamp: int) -> list[bytes]:
        plain = payload if self._codec == "L16" else flac.expanded(self._codec, payload)
        count = len(plain) // (2 * self._channels)
        if not _SHORTEST <= count <= flac.MOST:
            return []
        if count != self.duration:
            self._lasts(count)
        return [flac.frame(flac.parted(plain[: 2 * self._channels * count], self._channels))]

    def _lasts(self, count: int) -> None:
        self.duration, self.silence = count, flac.silence(count, self._channels)


class G711(Format):
    """Bytes of 8 kHz, one each (RFC 3551 §4.5.14); a packet is one sample, however long it is."""

    def __init__(self, media: Media) -> None:
        if media.channels != 1:
            raise FormatError("its G.711 has more than one channel")
        kind, quiet = G711_KINDS[media.codec]
        self.codec, self.rate = kind.decode(), media.clock_rate
        self.entry = fmp4_sound.plain_entry(kind, self.rate)
        self.duration = self.rate // 50
        self._quiet, self.silence = quiet, quiet * self.duration

    def samples(self, payload: bytes, timestamp: int) -> list[bytes]:
        if not 0 < len(payload) <= _LONGEST_PLAIN:
            return []
        if len(payload) != self.duration:
            self.duration, self.silence = len(payload), self._quiet * len(payload)
        return [payload]


def kept_format(media: Media) -> Format:
    """How to record this track: as it comes, also what no browser plays. Raises FormatError."""
    if media.codec == "L16":
        raise FormatError("its L16 is not recorded")
    return G711(media) if media.codec in G711_KINDS else format_of(media)


def format_of(media: Media) -> Format:
    """How to give this track to browsers; raises FormatError."""
    if media.codec == "MPEG4-GENERIC":
        return Aac(media)
    if media.codec == "OPUS":
        return Opus(media)
    if media.codec in ("PCMU", "PCMA", "L16"):
        return Plain(media)
    raise FormatError(f"it sends {NAMES.get(media.codec, media.codec)}, which no browser plays as it is")


def unplayed(media: Media) -> str:
    """Why no browser can be given this track; empty where it can."""
    try:
        format_of(media)
    except FormatError as reason:
        return str(reason)
    return ""


def _lengths(media: Media) -> tuple[int, int, int]:
    told = media.fmtp
    usual = _MODES.get(told.get("mode", "").lower(), (0, 0, 0))
    names = ("sizelength", "indexlength", "indexdeltalength")
    lengths = [_number(told.get(name, str(plain))) for name, plain in zip(names, usual, strict=True)]
    more = ("ctsdeltalength", "dtsdeltalength", "randomaccessindication", "streamstateindication")
    if not 0 < lengths[0] <= 16 or max(lengths[1:]) > 16 or any(_number(told.get(one, "0")) for one in more):
        raise FormatError("it sends AAC in an unusual mode")
    return lengths[0], lengths[1], lengths[2]


def _number(text: str) -> int:
    return int(text[:4]) if text.isascii() and text.isdigit() else 0


def _config(media: Media) -> bytes:
    """AudioSpecificConfig of AAC-LC as its rtpmap says, for a camera that tells none."""
    if media.clock_rate not in _RATES:
        raise FormatError("it does not say how its AAC is made")
    return (2 << 11 | _RATES.index(media.clock_rate) << 7 | media.channels << 3).to_bytes(2, "big")


def _described(config: bytes) -> tuple[int, int, int, int]:
    """Object type, rate of the core, rate of what is heard, channels (ISO/IEC 14496-3 §1.6.2.1)."""
    bits = _Reader(config)
    kind = bits.read(5)
    rate = core = _rate(bits)
    channels = bits.read(4)
    if kind in _SPECTRAL_BAND:
        rate = _rate(bits)
    if kind not in (2, *_SPECTRAL_BAND):
        raise FormatError(f"its AAC is of the kind {kind}, which is not LC or HE")
    return kind, core, rate, channels


def _rate(bits: "_Reader") -> int:
    index = bits.read(4)
    rate = bits.read(24) if index == 15 else _RATES[index] if index < len(_RATES) else 0
    if not rate:
        raise FormatError("its AAC has no sampling rate")
    return rate


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise FormatError("its description of AAC ends too early")
        return self._bits >> self._left & (1 << count) - 1


def _opus_ticks(packet: bytes) -> int:
    """Length in ticks of 48 kHz; 0 for a packet that is none."""
    shape, code = packet[0] >> 3, packet[0] & 3
    if shape < 12:
        frame = (480, 960, 1920, 2880)[shape & 3]
    else:
        frame = (480, 960)[shape & 1] if shape < 16 else (120, 240, 480, 960)[shape & 3]
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    return frame * frames if frame * frames <= 5760 else 0
