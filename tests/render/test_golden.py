"""Every rendered file of every example inventory, byte by byte, as it was last agreed on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from services.catalog import Catalog
from services.render import render_all
from services.topology import Topology

GOLDEN = Path(__file__).parent / "golden"
REFRESH = (
    "If the change is meant: .venv/bin/pytest tests/render --update-golden, then read the difference in git."
)


def test_rendered_files_are_the_agreed_ones(
    inventory: str, catalog: Catalog, site: Callable[[str], Topology], request: pytest.FixtureRequest
) -> None:
    files = {
        f"{one.host.name}{path}": file.text
        for one in render_all(catalog, site(inventory))
        for path, file in one.files.items()
    }
    folder = GOLDEN / inventory
    if request.config.getoption("--update-golden", default=False):
        write(folder, files)
    agreed = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert sorted(files) == sorted(agreed), REFRESH
    different = [path for path in files if files[path] != agreed[path]]
    assert not different, REFRESH


def write(folder: Path, files: dict[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_there_is_no_golden_folder_without_an_inventory() -> None:
    inventories = {p.name for p in (GOLDEN.parents[2] / "inventories").iterdir() if p.is_dir()}
    assert {p.name for p in GOLDEN.iterdir()} <= inventories
