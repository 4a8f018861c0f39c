"""`./dss bench`: what it accepts and how it shows ratios."""

import argparse
from pathlib import Path

import pytest

from services.cli import bench
from services.cli.verb import CannotError


def test_benches_are_found_by_the_names_of_their_files() -> None:
    assert "mts_relay" in bench.names()


@pytest.mark.parametrize("word", ["go2rtc", "=x", "x=/no/such/program", "x=/tmp"])
def test_peer_that_cannot_be_run_is_refused(word: str) -> None:
    with pytest.raises(CannotError, match="NAME=PATH"):
        bench.peers([word])


def test_peer_is_given_by_its_whole_path() -> None:
    assert bench.peers(["shell=/bin/sh"]) == {"shell": str(Path("/bin/sh").resolve())}


def test_unknown_bench_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CannotError, match="mts_relay"):
        bench.run(argparse.Namespace(name="nope", json=False, peer=[]))


def test_table_has_one_line_per_ratio() -> None:
    rows: list[dict[str, str | float]] = [{"bench": "b", "peer": "p", "ratio": 0.5, "of": "CPU"}]
    assert bench.table(rows).splitlines()[1].split() == ["b", "p", "0.50", "CPU"]
