"""Tar files whose bytes depend on nothing but their content."""

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

# 2020-01-01: old enough to be in no clock's future, young enough for every file format.
EPOCH = 1_577_836_800

Age = Callable[[Path], int]


def fixed_age(path: Path) -> int:
    """The modification time every file gets unless its content decides (seconds since 1970)."""
    return EPOCH


def tree(folder: Path) -> list[Path]:
    """Everything below `folder`, relative to it, in a fixed order."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def add(
    tar: tarfile.TarFile, folder: Path, members: Iterable[Path], prefix: str = "", age: Age = fixed_age
) -> None:
    """Put these members of `folder` into `tar` as `prefix`/member, owned by root."""
    for member in members:
        path = folder / member
        info = tar.gettarinfo(path, arcname=str(Path(prefix) / member))
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        info.mtime = age(path)
        if info.islnk():
            # Whether two files share an inode is this machine's matter.
            info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
        if not info.isreg():
            tar.addfile(info)
            continue
        with path.open("rb") as content:
            tar.addfile(info, content)


def compressed(
    target: Path, folder: Path, prefix: str, *, last: bool = True, age: Age = fixed_age, level: int = 6
) -> None:
    """Write `target`, a gzip member holding a tar of all below `folder`.

    With `last` false the tar's end mark is left out, so that another such file may be appended byte by byte:
    a gzip file may have several members (RFC 1952, section 2.2).
    """
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0, compresslevel=level) as packed,
    ):
        tar = tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115 - see last
        add(tar, folder, tree(folder), prefix, age)
        if last:
            tar.close()


def join(target: Path, pieces: Iterable[Path]) -> None:
    """Write the pieces of a compressed tar one after the other into `target`."""
    with target.open("wb") as out:
        for piece in pieces:
            copy(piece, out)


def copy(source: Path, out: BinaryIO) -> None:
    """Append a file to an open one."""
    with source.open("rb") as content:
        while block := content.read(1 << 20):
            out.write(block)


def age_of_content(path: Path) -> int:
    """A modification time drawn from the content: web servers tell versions of a file by time and size."""
    digest = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
    return EPOCH + int.from_bytes(digest[:3], "big")
