"""A tree of rendered files is kept and put back exactly, from any point at which it was cut off."""

import json
import os
from pathlib import Path

import pytest

from services.node import release_tree


def install(root: Path, listing: dict[str, tuple[str, list[str]]]) -> None:
    for path, (text, _) in listing.items():
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).write_text(text)
    record = root / release_tree.RECORD
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"files": {path: units for path, (_, units) in listing.items()}}))


OLD: dict[str, tuple[str, list[str]]] = {
    "/etc/dss/same.json": ("same", ["dss-a.service"]),
    "/etc/dss/changed.json": ("old", ["dss-b.service"]),
    "/etc/dss/engines/nginx.conf": ("old", ["nginx.service"]),
    "/etc/systemd/system/gone.service": ("old", ["gone.service"]),
}
NEW: dict[str, tuple[str, list[str]]] = {
    "/etc/dss/same.json": ("same", ["dss-a.service"]),
    "/etc/dss/changed.json": ("new", ["dss-b.service"]),
    "/etc/dss/engines/nginx.conf": ("new", ["nginx.service"]),
    "/etc/dss/more.json": ("new", ["dss-c.service"]),
}


def content(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def node(tmp_path: Path) -> Path:
    install(tmp_path / "node", OLD)
    (tmp_path / "node/etc/dss/changed.json").chmod(0o600)
    return tmp_path / "node"


def test_going_over_and_back_leaves_every_file_as_it_was(node: Path, tmp_path: Path) -> None:
    install(tmp_path / "new", NEW)
    release_tree.capture(tmp_path / "old", node)
    before = content(node)
    release_tree.apply(tmp_path / "new", node)
    assert (node / "etc/dss/more.json").read_text() == "new"
    assert not (node / "etc/systemd/system/gone.service").exists()
    release_tree.apply(tmp_path / "old", node)
    after = content(node)
    assert json.loads(after.pop(str(release_tree.RECORD))) == json.loads(before.pop(str(release_tree.RECORD)))
    assert after == before
    assert (node / "etc/dss/changed.json").stat().st_mode & 0o777 == 0o600


def test_only_units_whose_files_differ_are_named(node: Path, tmp_path: Path) -> None:
    install(tmp_path / "new", NEW)
    assert release_tree.apply(tmp_path / "new", node) == {
        "dss-b.service": "restart",
        "nginx.service": "reload",
        "dss-c.service": "restart",
        "gone.service": "restart",
    }


@pytest.mark.parametrize("written", range(6))
def test_a_change_cut_off_anywhere_is_undone_completely(
    node: Path, tmp_path: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "new", NEW)
    release_tree.capture(tmp_path / "old", node)
    before = content(node)
    left = [written]
    real = os.replace

    def failing(source: str | Path, target: str | Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("power cut")
        real(source, target)

    with monkeypatch.context() as cut:
        cut.setattr(os, "replace", failing)
        if written < 5:
            with pytest.raises(OSError, match="power cut"):
                release_tree.apply(tmp_path / "new", node)
        else:
            release_tree.apply(tmp_path / "new", node)
    release_tree.apply(tmp_path / "old", node)
    after = content(node)
    assert json.loads(after.pop(str(release_tree.RECORD))) == json.loads(before.pop(str(release_tree.RECORD)))
    assert after == before


def test_a_kept_tree_is_root_s_alone(node: Path, tmp_path: Path) -> None:
    release_tree.capture(tmp_path / "old", node)
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o700
