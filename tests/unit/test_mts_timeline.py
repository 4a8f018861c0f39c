"""RTP timestamps to decode times and presentation offsets."""

import random
from itertools import pairwise

from services.mts.timeline import Timeline

FRAME = 3600


def placed(stamps: list[int], start: int = 0) -> list[tuple[int, int]]:
    timeline = Timeline(90_000, start)
    return [timeline.place(stamp % 2**32) for stamp in stamps]


def test_even_frames_keep_their_distance_across_the_32_bit_wrap() -> None:
    stamps = [2**32 - 5 * FRAME + n * FRAME for n in range(10)]
    assert placed(stamps) == [(n * FRAME, 0) for n in range(10)]


def test_uneven_frames_keep_their_own_times() -> None:
    assert [dts for dts, _ in placed([0, 100, 9000, 9001])] == [0, 100, 9000, 9001]


def test_b_frames_get_monotonic_decode_times_below_their_presentation() -> None:
    shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14]
    answer = placed([n * FRAME for n in shown])
    times = [dts for dts, _ in answer]
    assert times == sorted(set(times))
    assert [dts + shift for dts, shift in answer] == [n * FRAME for n in shown]
    assert all(shift >= 0 for _, shift in answer[6:])
    assert [b - a for a, b in pairwise(times[8:])] == [FRAME] * 7


def test_clock_that_jumps_either_way_goes_on_one_frame_later() -> None:
    for jump in (3600 * 90_000, -3600 * 90_000, 2**31, -20 * FRAME - 7, -20 * FRAME, -2 * FRAME):
        stamps = [n * FRAME + (n >= 30) * jump for n in range(60)]
        assert placed(stamps) == [(n * FRAME, 0) for n in range(60)], jump


def test_interruption_leaves_no_hole() -> None:
    timeline = Timeline(90_000)
    timeline.place(0)
    timeline.place(FRAME)
    timeline.interrupted()
    assert timeline.place(77 * FRAME) == (2 * FRAME, 0)
    assert timeline.place(78 * FRAME) == (3 * FRAME, 0)


def test_successor_starts_where_the_predecessor_ended() -> None:
    first = Timeline(90_000)
    first.place(5)
    assert placed([1000, 1000 + FRAME], first.end) == [(FRAME, 0), (2 * FRAME, 0)]


def test_decode_times_increase_whatever_comes() -> None:
    chance = random.Random(7)  # noqa: S311
    times = [dts for dts, _ in placed([chance.randrange(2**32) for _ in range(2000)])]
    assert times == sorted(set(times))
