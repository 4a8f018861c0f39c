"""`./dss bench`: what it accepts and how it shows ratios."""

import argparse
from pathlib import Path

import pytest

from services.cli import bench
from services.cli.verb import CannotError


def test_benches_are_found_by_the_names_of_their_files() -> None:
    assert "media" in bench.names()


@pytest.mark.parametrize("word", ["go2rtc", "=x", "x=/no/such/program", "x=/tmp"])
def test_peer_that_cannot_be_run_is_refused(word: str) -> None:
    with pytest.raises(CannotError, match="NAME=PATH"):
        bench.peers([word])


def test_peer_is_given_by_its_whole_path() -> None:
    assert bench.peers(["shell=/bin/sh"]) == {"shell": str(Path("/bin/sh").resolve())}


def test_unknown_bench_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CannotError, match="media"):
        bench.run(argparse.Namespace(name="nope", json=False, peer=[], only=None))


def test_table_has_one_line_per_figure() -> None:
    row: bench.Row = {"figure": "f", "ours": 1.0, "peer_name": "p", "peer": 2.0, "ratio": 0.5}
    none: bench.Row = {"figure": "lost", "ours": 0, "peer_name": "must", "peer": 0, "ratio": None}
    lines = bench.table([row, none]).splitlines()[2:]
    assert lines == ["| f | 1 | p | 2 | 0.50 |", "| lost | 0 | must | 0 | – |"]  # noqa: RUF001
