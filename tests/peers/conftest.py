"""Racks that peers of the media relay are pointed at, and a disk that a recorder fills."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mts_rack import Rack

from lab import needs


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some seconds of recording beside its reserve."""
    needs.root()
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=36m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
