"""`./dss bench`: what the product costs, as ratios to named peers that run beside it on the same machine."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from services.cli import test
from services.cli.verb import ROOT, CannotError

HELP = "measure against named peers; prints ratios, because absolute figures belong to one machine"
EXAMPLE = "./dss bench media --only rtsp --peer go2rtc=/opt/go2rtc/go2rtc"

FOLDER = ROOT / "tests" / "bench"
NOTHING_RAN = 5
Row = dict[str, str | float | None]
"""figure, ours, peer_name, peer, and ratio, which is ours divided by the peer's, or None beside a zero."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which bench, which peers, which form."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"one of: {', '.join(names())}")
    parser.add_argument(
        "--json", action="store_true", help="print a list of {figure, ours, peer_name, peer, ratio}"
    )
    parser.add_argument("--only", metavar="FIGURE", help="only figures whose name has this in it")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=PATH", help="a program to compare with, too"
    )


def names() -> list[str]:
    """All benches, by the names of their files."""
    return sorted(path.stem.removeprefix("test_") for path in FOLDER.glob("test_*.py"))


def peers(words: list[str]) -> dict[str, str]:
    """Programs by peer name; raises CannotError for what cannot be run."""
    found = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not os.access(path, os.X_OK) or not Path(path).is_file():
            raise CannotError(f"--peer {word}: give NAME=PATH with the path of a program that can be run.")
        found[name] = str(Path(path).resolve())
    return found


def table(rows: list[Row]) -> str:
    """A Markdown table for people; a ratio below 1 means that the product is better."""
    lines = ["| figure | ours | peer | peer's | ratio |", "|---|---|---|---|---|"]
    for row in rows:
        ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}"  # noqa: RUF001 - a dash for people
        lines.append(
            f"| {row['figure']} | {row['ours']:.3g} | {row['peer_name']} | {row['peer']:.3g} | {ratio} |"
        )
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Run the benches as tests and print what they recorded; returns pytest's exit code."""
    if args.name and args.name not in names():
        raise CannotError(f"there is no bench {args.name!r}. Known: {', '.join(names())}.")
    programs = peers(args.peer)
    test.install(["bench"])
    chosen = [FOLDER / f"test_{name}.py" for name in names() if args.name in (None, name)]
    with tempfile.TemporaryDirectory(prefix="dss-bench-") as folder:
        results = Path(folder) / "ratios.jsonl"
        told = {"DSS_BENCH_PEERS": json.dumps(programs), "DSS_BENCH_RATIOS": str(results)}
        # Not captured, so that whoever waits sees on the error output how far it is.
        words = ["python", "-m", "pytest", "-q", "-s", *map(str, chosen)]
        words += ["-k", args.only] if args.only else []
        done = subprocess.run(
            words, cwd=ROOT, env=os.environ | told, check=False, stdout=subprocess.PIPE, text=True
        )
        rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    if done.returncode == NOTHING_RAN:
        raise CannotError(f"no figure has {args.only!r} in its name. Run it without --only to see them all.")
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    print(json.dumps(rows, indent=1) if args.json else table(rows))
    return done.returncode
