"""Numbers and times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from portal import figures

GB = 1024**3


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (4 * GB, "4 GB"),
     (2.5 * GB, "2.5 GB"), (604 * GB, "604 GB"), (16e15, "14.2 PB")],
)  # fmt: skip
def test_amount_counts_as_the_memory_gate_does(value: float | None, text: str) -> None:
    assert figures.amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (0, "0 bit/s"), (41_300_000, "41.3 Mbit/s"), (2e11, "200 Gbit/s")],
)
def test_rate_counts_in_thousands(value: float | None, text: str) -> None:
    assert figures.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (187_200, "2 d 4 h"),
        (86_405, "1 d"),
        (-3, "0 s"),
    ],
)
def test_span_has_at_most_its_two_largest_neighbouring_units(value: float, text: str) -> None:
    assert figures.span(value) == text


def test_since_reads_iso_text_and_survives_nonsense() -> None:
    assert figures.since((datetime.now(UTC) - timedelta(hours=5)).isoformat()) == "5 h"
    assert figures.since("yesterday") == figures.since(None) == "\N{EN DASH}"


def test_milliseconds_beyond_all_calendars_are_no_moment() -> None:
    assert figures.stamp(figures.moment(1_790_000_000_000)) == "2026-09-21 14:13:20 UTC"
    assert figures.moment(2**62 / 1000) is None
