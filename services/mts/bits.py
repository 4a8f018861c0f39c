"""Sequence parameter sets of H.264 (§7.3.2.1.1) and H.265 (§7.3.2.2), read as far as a muxer needs."""

from dataclasses import dataclass

_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
MAX_SPS = 4096


class BitstreamError(ValueError):
    """A parameter set cannot be read."""


@dataclass(frozen=True)
class Sps:
    """Picture size in pixels, RFC 6381 codec string, chroma format, bits per luma and chroma sample."""

    width: int
    height: int
    codec: str
    chroma: int = 1
    luma_depth: int = 8
    chroma_depth: int = 8


def unescape(nal: bytes) -> bytes:
    """NAL unit without its emulation prevention bytes."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


class _Bits:
    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_SPS:
            raise BitstreamError(f"a parameter set of more than {MAX_SPS} bytes")
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise BitstreamError("the parameter set ends too early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise BitstreamError("an Exp-Golomb code of more than 32 bits")
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def h264(nal: bytes) -> Sps:
    """Read an H.264 SPS NAL unit; raises BitstreamError."""
    data = unescape(nal)
    if len(data) < 4:
        raise BitstreamError("an SPS of less than 4 bytes")
    bits = _Bits(data[4:])
    bits.ue()
    chroma, luma_depth, chroma_depth = _h264_sampling(bits) if data[1] in _HIGH else (1, 8, 8)
    bits.ue()
    _h264_order_count(bits)
    bits.ue()
    bits.read(1)
    width, height = 16 * (bits.ue() + 1), 16 * (bits.ue() + 1)
    frames_only = bits.read(1)
    if not frames_only:
        bits.read(1)
        height *= 2
    bits.read(1)
    crop = [bits.ue() for _ in range(4)] if bits.read(1) else [0, 0, 0, 0]
    unit_x = 2 if chroma in (1, 2) else 1
    unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
    width, height = width - unit_x * (crop[0] + crop[1]), height - unit_y * (crop[2] + crop[3])
    return _sized(width, height, f"avc1.{data[1:4].hex()}", chroma, luma_depth, chroma_depth)


def _h264_sampling(bits: _Bits) -> tuple[int, int, int]:
    chroma = bits.ue()
    if chroma == 3:
        bits.read(1)
    luma, chroma_depth = 8 + bits.ue(), 8 + bits.ue()
    bits.read(1)
    if bits.read(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, luma, chroma_depth


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _h264_order_count(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.read(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()


def h265(nal: bytes) -> Sps:
    """Read an H.265 SPS NAL unit; raises BitstreamError."""
    data = unescape(nal)
    if len(data) < 15:
        raise BitstreamError("an SPS of less than 15 bytes")
    sub_layers = (data[2] >> 1) & 7
    bits = _Bits(data[15:])
    _skip_sub_layers(bits, sub_layers)
    bits.ue()
    chroma = bits.ue()
    if chroma == 3:
        bits.read(1)
    width, height = bits.ue(), bits.ue()
    if bits.read(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    return _sized(width, height, _h265_codec(data[3:15]), chroma, 8 + bits.ue(), 8 + bits.ue())


def _skip_sub_layers(bits: _Bits, count: int) -> None:
    if not count:
        return
    present = [(bits.read(1), bits.read(1)) for _ in range(8)][:count]
    for profile, level in present:
        bits.read(88 * profile + 8 * level)


def _h265_codec(general: bytes) -> str:
    """Codec string by ISO/IEC 14496-15 annex E.3 from the 12 bytes of profile, tier and level."""
    space = ("", "A", "B", "C")[general[0] >> 6]
    tier = "H" if general[0] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(general[1:5], 'big'):032b}"[::-1], 2)
    constraints = general[5:11].rstrip(b"\x00")
    tail = "".join(f".{byte:x}" for byte in constraints)
    return f"hvc1.{space}{general[0] & 0x1F}.{compatibility:x}.{tier}{general[11]}{tail}"


def _sized(width: int, height: int, codec: str, chroma: int, luma: int, chroma_depth: int) -> Sps:
    if not (0 < width <= 16384 and 0 < height <= 16384 and chroma <= 3 and luma <= 16 and chroma_depth <= 16):
        raise BitstreamError(f"an impossible picture: {width}x{height}, chroma {chroma}, {luma} bits")
    return Sps(width, height, codec, chroma, luma, chroma_depth)
