"""Recordings for a browser keep to the time of day, whatever the camera's own clock does."""

from itertools import pairwise
from pathlib import Path

import pytest

from services.mts import fmp4
from services.ss import boxes
from services.ss.by_clock import ByClock
from services.ss.entry import GAP, SECOND, Entry, Gop, place
from services.ss.reader import Place

RATE, FRAME, FRAMES = 90_000, 3600, 50
NOON = 1_790_000_000 * SECOND
GOP = FRAMES * FRAME * SECOND // RATE
"""How long a GOP is by the camera's clock, microseconds."""


def recorded(folder: Path, arrivals: list[int], end: int) -> Entry:
    """A file with a GOP for each arrival (microseconds since 1970)."""
    body, gops = b"", []
    for number, at in enumerate(arrivals):
        gops.append(Gop(len(body), at, number * FRAMES * FRAME, FRAMES))
        for n in range(FRAMES):
            tick = (number * FRAMES + n) * FRAME
            body += fmp4.stamp(tick, at) if n == 0 else b""
            body += fmp4.fragment(n, tick, FRAME, n == 0, 8) + b"\0\0\0\x04data"
    path = folder / place("cam", 1, arrivals[0], GAP)
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    return Entry("cam", 1, arrivals[0], end, len(body), str(folder), GAP, RATE, tuple(gops))


def read(entry: Entry, keys: bool = False) -> list[list[boxes.Frame]]:
    one = ByClock(NOON, keys)
    return [list(boxes.parse(one.read(Place(entry, n)))) for n in range(len(entry.gops))]


@pytest.mark.parametrize("drift", [-0.002, 0.0, 0.002])
def test_a_camera_whose_clock_runs_wrong_stays_at_the_time_of_day_without_holes(
    tmp_path: Path, drift: float
) -> None:
    step = round(GOP * (1 + drift))
    arrivals = [NOON + n * step for n in range(200)]
    frames = [frame for gop in read(recorded(tmp_path, arrivals, arrivals[-1] + step)) for frame in gop]
    assert all(one.tick + one.duration == other.tick for one, other in pairwise(frames))
    keys = [frame.tick * SECOND // RATE for frame in frames[::FRAMES]]
    assert max(abs(key - (at - NOON)) for key, at in zip(keys, arrivals, strict=True)) < 1000
    assert max(frame.duration for frame in frames) < FRAME * 1.06


def test_late_and_early_arrivals_move_no_picture_by_much_and_lose_none(tmp_path: Path) -> None:
    arrivals = [NOON + n * GOP + (300_000 if n % 7 == 3 else 0) for n in range(60)]
    frames = [frame for gop in read(recorded(tmp_path, arrivals, arrivals[-1] + GOP)) for frame in gop]
    assert len(frames) == 60 * FRAMES
    assert all(one.tick + one.duration == other.tick for one, other in pairwise(frames))
    assert min(frame.duration for frame in frames) > FRAME * 0.94
    assert max(frame.duration for frame in frames) < FRAME * 1.06


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    arrivals = [NOON, NOON + GOP, NOON + GOP + 60 * SECOND]
    first, second, third = read(recorded(tmp_path, arrivals, arrivals[-1] + GOP))
    assert second[0].tick == first[-1].tick + first[-1].duration
    assert second[-1].tick + second[-1].duration == 2 * FRAMES * FRAME
    assert third[0].tick == (arrivals[-1] - NOON) * RATE // SECOND


def test_key_frames_alone_last_until_the_next_one(tmp_path: Path) -> None:
    arrivals = [NOON + n * GOP for n in range(5)]
    found = read(recorded(tmp_path, arrivals, arrivals[-1] + GOP), keys=True)
    assert [len(gop) for gop in found] == [1] * 5
    assert all(one[0].tick + one[0].duration == other[0].tick for one, other in pairwise(found))
    assert {gop[0].duration for gop in found} == {FRAMES * FRAME}
