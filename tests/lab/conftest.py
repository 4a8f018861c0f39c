"""A running lab for the tests of this folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import needs
from lab.rack import Lab
from services.cli import backup

sys.path.insert(0, str(Path(__file__).parent))

INVENTORY = Path(__file__).resolve().parents[2] / "inventories" / "demo"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The hosts of inventories/demo, bare, in a lab of this run's own; DSS_LAB_TEST names it.

    Tests leave every host powered on and connected.
    """
    needs.root()
    rack = Lab(os.environ.get("DSS_LAB_TEST", f"test{os.getpid()}"))
    try:
        rack.up(INVENTORY)
        yield rack
    finally:
        rack.down()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key of backups, which no node ever sees."""
    path = tmp_path_factory.mktemp("keys") / "backup.key"
    backup.make(path)
    return path
