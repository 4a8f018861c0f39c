"""Racks that peers of the media relay are pointed at."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mts_rack import Rack


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """A relay with channel `one`: H.264 and AAC, a whole frame per burst."""
    with Rack(tmp_path_factory.mktemp("rack")) as started:
        started.camera("one", "aac")
        yield started


@pytest.fixture
def own_rack(tmp_path: Path) -> Iterator[Rack]:
    """A relay without cameras that a test may mistreat; short patience."""
    with Rack(tmp_path, {"sub_idle_seconds": 1, "stall_seconds": 2}) as started:
        yield started
