"""A host's disks: an overlay of read-only layers with its own upper layer, and separate data disks.

Never edit a lower layer while an overlay stands on it; the kernel leaves the result undefined.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from lab.base import neutralise
from lab.tools import LabError, cache, locked, run, until

# Mount point in the host -> size. Files are sparse, so that a size costs nothing until it is used.
DISKS = {"/srv": "64G", "/mnt/disk1": "8G", "/mnt/disk2": "8G"}


def baked(key: str) -> Path:
    """Where the layer of a key lies."""
    if not key or not key.replace("-", "").replace(".", "").isalnum():
        raise LabError(f"{key!r} is not usable as a layer key. Use letters, digits, dots and dashes.")
    return cache() / "baked" / key


class Disks:
    """The disks of one host, in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.upper = folder / "upper"

    def make(self) -> None:
        """Make what is missing; what a host wrote before stays."""
        for path in (self.root, self.upper, self.folder / "work"):
            path.mkdir(parents=True, exist_ok=True)
        for index, size in enumerate(DISKS.values()):
            image = self.folder / f"disk{index}.img"
            if not image.exists():
                _format(image, size)

    def mount(self, lower: list[Path]) -> None:
        """Mount everything; `lower` has the topmost layer first."""
        if not self.root.is_mount():
            words = [f"lowerdir={':'.join(map(str, lower))}", f"upperdir={self.upper}"]
            words.append(f"workdir={self.folder / 'work'}")
            run("mount", "-t", "overlay", f"dss-{self.folder.name}", "-o", ",".join(words), self.root)
        for _, image, place in self._data():
            place.mkdir(exist_ok=True)
            if not place.is_mount():
                run("mount", "-o", "loop", image, place)

    def unmount(self) -> None:
        """Unmount everything; waits for a host that is still going."""
        for place in [*(p for _, _, p in self._data()), self.root]:
            if place.is_mount() and not until(lambda p=place: _unmounted(p), 10, 0.1):  # type: ignore[misc]
                raise LabError(
                    f"{place} stays busy. Look with `fuser -vm {place}`, then run ./dss lab down again."
                )

    def binds(self) -> list[str]:
        """Options that show the data disks to the host."""
        return [f"--bind={place}:{inside}" for inside, _, place in self._data()]

    def _data(self) -> Iterator[tuple[str, Path, Path]]:
        for index, inside in enumerate(DISKS):
            yield inside, self.folder / f"disk{index}.img", self.folder / f"disk{index}"


def _format(image: Path, size: str) -> None:
    new = image.with_suffix(".new")
    run("truncate", "-s", size, new)
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", new)
    new.rename(image)


def _unmounted(place: Path) -> bool:
    run("umount", place, check=False)
    return not place.is_mount()


def bake(upper: Path, key: str) -> Path:
    """Keep a stopped host's upper layer under a key, without what makes it that one host."""
    place = baked(key)
    with locked(cache() / "baked" / ".lock"):
        if not place.exists():
            new = place.with_name(f".{place.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            run("cp", "-a", upper, new)
            _strip(new)
            new.rename(place)
    return place


def forget(key: str) -> None:
    """Delete a layer; no lab may stand on it."""
    shutil.rmtree(baked(key), ignore_errors=True)


def _strip(root: Path) -> None:
    """A layer carries software only, nothing that makes its host this one host."""
    neutralise(root)
    private = [
        "etc/machine-id",
        "etc/hosts",
        "root/.ssh",
        "var/lib/systemd/random-seed",
        "etc/systemd/network",
    ]
    for name in private:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
