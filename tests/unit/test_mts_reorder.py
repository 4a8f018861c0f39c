"""RTP by UDP: what overtakes, comes twice, is lost, or starts anew."""

import random
import struct

import pytest

from services.mts.reorder import DEPTH, Reorder


def packet(number: int, timestamp: int = 0, ssrc: int = 1) -> bytes:
    return struct.pack(">BBHII", 0x80, 96, number & 0xFFFF, timestamp, ssrc) + b"x"


@pytest.fixture
def got() -> list[int]:
    return []


@pytest.fixture
def reorder(got: list[int]) -> Reorder:
    return Reorder(lambda one: got.append(int.from_bytes(one[2:4], "big")))


def test_packets_that_overtake_and_come_twice_are_put_right_across_the_wrap(
    reorder: Reorder, got: list[int]
) -> None:
    chance = random.Random(3)  # noqa: S311
    sent = [n for n in range(65_500, 65_700) for _ in range(1 + (n % 7 == 0))]
    late = sorted(range(1, len(sent)), key=lambda place: place + chance.uniform(0, 20))
    for place in (0, *late):
        reorder.take(packet(sent[place], sent[place]))
    assert got == [n & 0xFFFF for n in range(65_500, 65_700)]
    assert (reorder.lost, reorder.waits) == (0, False)


def test_what_is_lost_is_waited_for_no_longer_than_the_depth(reorder: Reorder, got: list[int]) -> None:
    reorder.take(packet(1, 1))
    for number in range(3, 3 + DEPTH):
        reorder.take(packet(number, number))
    assert got == [1]
    reorder.take(packet(3 + DEPTH, 3 + DEPTH))
    assert got == [1, *range(3, 4 + DEPTH)]
    assert reorder.lost == 1
    reorder.take(packet(2, 2))
    assert got[-1] == 3 + DEPTH


def test_a_picture_that_lost_its_middle_ends_there_and_the_next_one_is_whole(
    reorder: Reorder, got: list[int]
) -> None:
    for number, timestamp in ((1, 10), (2, 10), (4, 10), (5, 10), (6, 20), (7, 20)):
        reorder.take(packet(number, timestamp))
    reorder.give_up()
    assert got == [1, 2, 6, 7]


def test_a_picture_that_lost_its_beginning_is_passed_on_for_the_decoder_to_judge(
    reorder: Reorder, got: list[int]
) -> None:
    for number, timestamp in ((1, 10), (2, 10), (4, 20), (5, 20)):
        reorder.take(packet(number, timestamp))
    reorder.give_up()
    assert got == [1, 2, 4, 5]


@pytest.mark.parametrize(("number", "ssrc"), [(40_000, 1), (2, 2), (60_000, 9)])
def test_a_sender_that_starts_anew_is_followed_at_once(
    reorder: Reorder, got: list[int], number: int, ssrc: int
) -> None:
    reorder.take(packet(1))
    reorder.take(packet(3))
    reorder.take(packet(number, 5, ssrc))
    reorder.take(packet(number + 1, 5, ssrc))
    assert got[-2:] == [number, number + 1]


@pytest.mark.parametrize("rubbish", [b"", b"\x80", bytes(12), bytes(200), b"\x40" + bytes(40)])
def test_what_is_no_rtp_is_left_out(reorder: Reorder, got: list[int], rubbish: bytes) -> None:
    reorder.take(rubbish)
    assert got == []
