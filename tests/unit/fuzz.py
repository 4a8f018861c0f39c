"""Hostile input: what is valid, cut, spliced, repeated and garnished with what parsers trip over."""

import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

HANG_SECONDS = 2.0
LONGEST = 6000
TRAPS = (
    b"", b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\r\n", b"\n", b"\r\n\r\n", b"$", b"$\0\0\0",  # noqa: E501
    b"$\0\xff\xff", b" ", b",", b";", b"=", b"-", b":", b"//[", b"://", b"?", b"%", b'"', b'\\"', b"\xc3\x28",
    "٣".encode(), "²".encode(), b"-1", b"1e999", b"NaN", b"Infinity", b"0" * 5000, b"9" * 5000, b"1" * 22,
    b"[" * 3000, b'{"a":' * 500, b"null", b"a" * 3000, b" " * 3000, b"\x18\0\3" * 900, b"\x60\1" * 900,
    b"=\"", b"\0\0\3", b"RTSP/1.0", b"Content-Length: 5\r\n",
)  # fmt: skip


class HangError(BaseException):
    """An input took longer than any may."""


def inputs(seeds: Sequence[bytes], count: int, seed: int = 1) -> Iterator[bytes]:
    """`count` of them, the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            _mutate(data, chance, seeds)
        yield bytes(data[:LONGEST])


def _mutate(data: bytearray, chance: random.Random, seeds: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + int(chance.paretovariate(0.7)))
    kind = chance.randrange(8)
    if kind == 0 and data:
        data[at % len(data)] = chance.randrange(256)
    elif kind == 1 and data:
        data[at % len(data)] ^= 1 << chance.randrange(8)
    elif kind == 2:
        del data[at:end]
    elif kind == 3:
        data[at:at] = data[at:end] * chance.choice((1, 2, 40))
    elif kind == 4:
        data[at:end] = chance.choice(TRAPS)
    elif kind == 5:
        data[at:at] = chance.choice(TRAPS)
    elif kind == 6:
        other = chance.choice(seeds)
        data[at:end] = other[chance.randrange(len(other) + 1) :]
    else:
        data[at:end] = chance.randbytes(min(64, end - at + 1))


def _too_long(number: int, frame: FrameType | None) -> None:
    raise HangError(f"no end within {HANG_SECONDS} s of processor time")


@contextmanager
def watched() -> Iterator[Callable[[], None]]:
    """Calls of what is given say that the next input begins; one that takes too long is a HangError."""
    before = signal.signal(signal.SIGVTALRM, _too_long)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, HANG_SECONDS) and None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


Allowed = tuple[type[Exception], ...]


async def survive(
    target: Callable[[bytes], Awaitable[None] | None], allowed: Allowed, seeds: Sequence[bytes], count: int
) -> None:
    """Feed the target; AssertionError names an input that ends in anything but `allowed`, or does not end."""
    with watched() as next_one:
        for data in inputs(seeds, count):
            next_one()
            try:
                if (waiting := target(data)) is not None:
                    await waiting
            except allowed:
                continue
            except (Exception, HangError) as error:
                raise AssertionError(
                    f"{type(error).__name__}: {error} for {len(data)} bytes {data!r}"
                ) from error
