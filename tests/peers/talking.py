"""Speaking to a camera over DSS_MTS, and measuring what arrived there."""

import json
import math
import struct
import time
from pathlib import Path
from typing import Any

import aiohttp
import mts_rack

RATE = 8000
FRAME = 320


def mulaw(sample: int) -> int:
    """One sample of 16 bits by ITU-T G.711 µ-law."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | size >> exponent + 3 & 15) & 0xFF


def tone(hertz: float, begin: int, samples: int = FRAME) -> bytes:
    """G.711 µ-law of a sine at half the volume, from sample `begin` on."""
    steps = range(begin, begin + samples)
    return bytes(mulaw(int(16000 * math.sin(2 * math.pi * hertz * n / RATE))) for n in steps)


def heard(file: Path) -> list[int]:
    """The samples that a camera has kept."""
    data = file.read_bytes() if file.exists() else b""
    return [value for (value,) in struct.iter_unpack("<h", data[: len(data) // 2 * 2])]


def wait_heard(file: Path, samples: int, seconds: float = 10) -> list[int]:
    """What the camera heard, once it is so much; the silence that its file begins with does not count."""
    until = time.monotonic() + seconds
    while len(loud(heard(file))) < samples and time.monotonic() < until:
        time.sleep(0.05)
    return heard(file)


def loud(samples: list[int]) -> list[int]:
    """From the first to the last sample that is no silence."""
    places = [n for n, value in enumerate(samples) if abs(value) > 500]
    return samples[places[0] : places[-1] + 1] if places else []


def frequency(samples: list[int]) -> float:
    """Hertz, by how often the sign changes upwards."""
    ups = [n for n in range(1, len(samples)) if samples[n - 1] < 0 <= samples[n]]
    return (len(ups) - 1) * RATE / (ups[-1] - ups[0]) if len(ups) > 1 else 0.0


def url(rack: mts_rack.Rack, channel: str, user: str = "u", scope: str = "talk/") -> str:
    """The WebSocket with a fresh token."""
    token = rack.token(scope + channel, user=user)
    return f"ws://127.0.0.1:{rack.ports['http']}/talk/{channel}?token={token}"


async def told(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next message of text."""
    found: dict[str, Any] = json.loads(await socket.receive_str(timeout=10))
    return found
