"""Where benches get their peers from and leave their ratios."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))


@pytest.fixture
def programs() -> dict[str, str]:
    """Programs to compare with, by name, as given to `./dss bench --peer`."""
    named: dict[str, str] = json.loads(os.environ.get("DSS_BENCH_PEERS", "{}"))
    return named


@pytest.fixture
def record_ratio() -> Callable[[str, str, float, str], None]:
    """Takes bench, peer, ratio (ours divided by the peer's, lower is better) and what was measured."""

    def record(bench: str, peer: str, ratio: float, of: str) -> None:
        row = {"bench": bench, "peer": peer, "ratio": round(ratio, 3), "of": of}
        if name := os.environ.get("DSS_BENCH_RATIOS"):
            with Path(name).open("a") as results:
                results.write(json.dumps(row) + "\n")
        print(row)

    return record
