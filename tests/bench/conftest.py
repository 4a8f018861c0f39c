"""Where benches get their peers from."""

import json
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]


@pytest.fixture
def programs() -> dict[str, str]:
    """Programs to compare with, by name, as given to `./dss bench --peer`."""
    named: dict[str, str] = json.loads(os.environ.get("DSS_BENCH_PEERS", "{}"))
    return named
