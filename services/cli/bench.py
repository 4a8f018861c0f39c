"""`./dss bench`: what the product costs, as ratios to named peers that run beside it on the same machine."""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from services.cli import test
from services.cli.verb import ROOT, CannotError

HELP = "measure against named peers; prints ratios, because absolute figures belong to one machine"
EXAMPLE = "./dss bench mts_relay --peer go2rtc=/opt/go2rtc/go2rtc"

FOLDER = ROOT / "tests" / "bench"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which bench, which peers, which form."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"one of: {', '.join(names())}")
    parser.add_argument("--json", action="store_true", help="print one JSON object per ratio")
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


def table(rows: list[dict[str, str | float]]) -> str:
    """Ratios for people; below 1 the product costs less."""
    lines = [f"{'bench':32} {'peer':10} {'ratio':>6}  {'of':s}"]
    lines += [f"{row['bench']:32} {row['peer']:10} {row['ratio']:6.2f}  {row['of']}" for row in rows]
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
        words = ["python", "-m", "pytest", "-q", *map(str, chosen)]
        done = subprocess.run(
            words, cwd=ROOT, env=os.environ | told, check=False, stdout=subprocess.PIPE, text=True
        )
        rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    if done.returncode:
        print(done.stdout)
    print("\n".join(map(json.dumps, rows)) if args.json else table(rows))
    return done.returncode
