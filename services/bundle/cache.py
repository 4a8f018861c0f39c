"""Parts of a bundle that were built before, each in a folder named by the hash of what went into it."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

KEEP = 4
# A private folder this old belongs to a run that was killed.
ABANDONED_SECONDS = 24 * 3600
# To be raised when a part is made in another way from the same inputs.
RECIPE = 3


def root() -> Path:
    """The folder for everything that may be deleted and made again.

    `$DSS_CACHE`; by default /var/cache/dss for root and ~/.cache/dss for a user.
    """
    default = Path.home() / ".cache/dss" if os.geteuid() else "/var/cache/dss"
    return Path(os.environ.get("DSS_CACHE", default))


def folder() -> Path:
    """Where parts are kept: `bundle` in the cache."""
    return root() / "bundle"


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Wait until no other bundle is being built with this cache."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def key_of(*inputs: object) -> str:
    """A short name for these JSON-able inputs; equal inputs give equal names."""
    text = json.dumps([RECIPE, *inputs], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def part(
    kind: str | Path, key: str, build: Callable[[Path], None], *, refresh: bool = False, keep: int = KEEP
) -> Path:
    """The folder of one part, built into a private folder and renamed when complete.

    `kind` is a folder of the cache, or any other folder; of a kind, the `keep` parts used last are kept.
    `refresh` builds anew even if the part is there.
    Whatever `build` raises leaves no part behind.
    """
    final = folder() / kind / key
    if final.is_dir() and not refresh:
        os.utime(final)
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
    try:
        build(working)
        working.chmod(0o755)
        replace(working, final)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    _forget_old(final.parent, keep)
    return final


def replace(working: Path, final: Path) -> None:
    """Give `working` the name `final`, on disk before it is visible; an older `final` is removed."""
    flush(working)
    if final.is_dir():
        older = Path(tempfile.mkdtemp(prefix=".old-", dir=final.parent))
        final.rename(older / final.name)
        working.rename(final)
        shutil.rmtree(older)
    else:
        working.rename(final)
    flush(final.parent)


def flush(path: Path) -> None:
    """Write the file system of `path` to disk: a rename must never become visible before its content."""
    subprocess.run(["sync", "--file-system", path], check=True)


def _forget_old(kind: Path, keep: int) -> None:
    entries = sorted(
        (p for p in kind.iterdir() if not p.name.startswith(".")), key=lambda p: p.stat().st_mtime
    )
    left = [p for p in kind.glob(".*") if time.time() - p.stat().st_mtime > ABANDONED_SECONDS]
    for entry in [*entries[:-keep], *left]:
        shutil.rmtree(entry, ignore_errors=True)
