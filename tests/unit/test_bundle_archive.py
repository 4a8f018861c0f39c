"""The same content gives the same bytes, and a tar in two pieces reads as one."""

import os
import subprocess
import tarfile
from pathlib import Path

from services.bundle import archive


def make(folder: Path, names: list[str], age: int) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
        os.utime(path, (age, age))
    (folder / "link").symlink_to(sorted(names)[0])
    return folder


def test_order_age_and_owner_do_not_reach_the_archive(tmp_path: Path) -> None:
    names = ["b/two", "a/one", "c"]
    for place, listed, age in (("x", names, 1_000_000), ("y", names[::-1], 2_000_000)):
        archive.compressed(tmp_path / f"{place}.tar.gz", make(tmp_path / place, listed, age), "top")
    assert (tmp_path / "x.tar.gz").read_bytes() == (tmp_path / "y.tar.gz").read_bytes()


def test_two_pieces_read_as_one_archive(tmp_path: Path) -> None:
    first, second = make(tmp_path / "x", ["lib/a"], 1), make(tmp_path / "y", ["lib/b"], 1)
    archive.compressed(tmp_path / "1", first, "venv", last=False)
    archive.compressed(tmp_path / "2", second, "venv")
    archive.join(tmp_path / "all.tar.gz", [tmp_path / "1", tmp_path / "2"])
    target = tmp_path / "out"
    target.mkdir()
    subprocess.run(["tar", "-C", target, "-xzf", tmp_path / "all.tar.gz"], check=True)
    assert (target / "venv/lib/a").read_text() == "content of lib/a"
    assert (target / "venv/lib/b").read_text() == "content of lib/b"
    with tarfile.open(tmp_path / "all.tar.gz") as tar:
        assert {"venv/lib/a", "venv/lib/b", "venv/link"} <= set(tar.getnames())


def test_hard_links_become_files_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "a").write_text("same")
    os.link(folder / "a", folder / "b")
    archive.compressed(tmp_path / "x.tar.gz", folder, "")
    with tarfile.open(tmp_path / "x.tar.gz") as tar:
        assert all(member.isreg() for member in tar.getmembers())


def test_assets_of_equal_size_differ_in_age_when_their_content_does(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("aaaa")
    other.write_text("bbbb")
    assert archive.age_of_content(one) != archive.age_of_content(other)
    assert archive.age_of_content(one) == archive.age_of_content(one)
