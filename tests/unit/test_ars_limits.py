"""Bounds on strangers at the register port."""

from services.ars.limits import Limits


def test_one_source_has_few_places_and_gets_them_back() -> None:
    limits = Limits(total=10, per_address=2)
    assert [limits.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limits.enter("192.0.2.2")
    limits.leave("192.0.2.1")
    assert limits.enter("192.0.2.1")


def test_all_sources_together_are_bounded() -> None:
    limits = Limits(total=3)
    assert [limits.enter(f"192.0.2.{n}") for n in range(4)] == [True, True, True, False]


def test_a_source_that_comes_again_and_again_waits_for_the_next_minute() -> None:
    time = [0.0]
    limits = Limits(per_minute=5, now=lambda: time[0])
    for _ in range(5):
        assert limits.enter("192.0.2.1")
        limits.leave("192.0.2.1")
    assert not limits.enter("192.0.2.1")
    time[0] = 60.0
    assert limits.enter("192.0.2.1")


def test_a_neighbour_with_a_whole_ipv6_network_is_one_source() -> None:
    limits = Limits(per_address=1)
    assert limits.enter("2001:db8::1")
    assert not limits.enter("2001:db8::2")
    assert limits.enter("2001:db8:0:1::1")
    assert limits.enter("::ffff:192.0.2.1")
    assert not limits.enter("192.0.2.1")
    assert limits.enter("fe80::1%eth0")
