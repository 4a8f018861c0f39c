"""A part or a bundle is there as a whole or not at all, whatever ends its making."""

import os
import time
from pathlib import Path

import pytest

from services.bundle import build, cache, exchange
from services.runtime.errors import Problem


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("DSS_CACHE", str(tmp_path))
    return tmp_path / "bundle"


def write(text: str) -> object:
    return lambda folder: (folder / "file").write_text(text)


def test_part_is_built_once(folder: Path) -> None:
    made = []
    for _ in range(2):
        place = cache.part("kind", "key", lambda work: made.append((work / "file").write_text("x")))
    assert len(made) == 1
    assert (place / "file").read_text() == "x"


def test_failed_building_leaves_nothing_behind(folder: Path) -> None:
    def build(work: Path) -> None:
        (work / "half").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.part("kind", "key", build)
    assert list((folder / "kind").iterdir()) == []


def test_failed_refresh_keeps_the_older_part(folder: Path) -> None:
    def fail(work: Path) -> None:
        raise OSError("network lost")

    place = cache.part("kind", "key", write("old"))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="network lost"):
        cache.part("kind", "key", fail, refresh=True)
    assert (place / "file").read_text() == "old"
    cache.part("kind", "key", write("new"), refresh=True)  # type: ignore[arg-type]
    assert (place / "file").read_text() == "new"


def test_only_the_parts_used_last_are_kept(folder: Path) -> None:
    for number in range(6):
        cache.part("kind", f"key-{number}", write("x"), keep=2)  # type: ignore[arg-type]
    assert len(list((folder / "kind").iterdir())) == 2
    assert (folder / "kind/key-5").is_dir()


def test_what_a_killed_run_left_behind_is_removed_after_a_day(folder: Path) -> None:
    for name, age in ((".partial-old", 25 * 3600), (".partial-running", 60)):
        (folder / "kind" / name).mkdir(parents=True)
        then = time.time() - age
        os.utime(folder / "kind" / name, (then, then))
    cache.part("kind", "key", write("x"))  # type: ignore[arg-type]
    assert {path.name for path in (folder / "kind").iterdir()} == {".partial-running", "key"}


def test_key_depends_on_every_input() -> None:
    assert cache.key_of("a", ["b"]) == cache.key_of("a", ["b"])
    assert len({cache.key_of("a", ["b"]), cache.key_of("a", "b"), cache.key_of(["a"], "b")}) == 3


def test_published_folder_replaces_the_one_of_the_same_name(tmp_path: Path) -> None:
    for text in ("old", "new"):
        work = tmp_path / f".partial-{text}"
        work.mkdir()
        (work / "file").write_text(text)
        exchange.publish(work, tmp_path / "dss-1-1")
        exchange.link(tmp_path / "latest", "dss-1-1")
    assert (tmp_path / "latest/file").read_text() == "new"
    assert not list(tmp_path.glob(".*"))


def test_interrupted_link_does_not_stop_the_next(tmp_path: Path) -> None:
    exchange.link(tmp_path / "latest", "one")
    exchange.link(tmp_path / "latest", "two")
    assert (tmp_path / "latest").readlink() == Path("two")


def test_too_little_room_is_said_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        build._room(tmp_path, 10**18)
    assert caught.value.code == "bundle-room"
    assert str(tmp_path) in caught.value.what
    assert "--out" in caught.value.remedy
