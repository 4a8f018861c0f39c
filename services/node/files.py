"""Writing files on a node so that a power cut leaves the old or the new content, never a mixture."""

import json
import os
import tempfile
from pathlib import Path
from typing import TypeVar, cast

ETC = Path(os.environ.get("DSS_ETC", "/etc/dss"))
RUN = Path(os.environ.get("DSS_RUN", "/run/dss"))
STATE = Path(os.environ.get("DSS_STATE", "/var/lib/dss"))
T = TypeVar("T")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a rename is only safe after this."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Replace a file atomically: temporary neighbour, fsync, rename, fsync of the folder.

    Raises OSError; the old file is then still whole.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_if_changed(path: Path, content: str | bytes, mode: int = 0o644) -> bool:
    """Write only when content or mode differ; True when something was written."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data and path.stat().st_mode & 0o7777 == mode:
        return False
    write(path, data, mode)
    return True


def read_json(path: Path, default: T) -> T:
    """The JSON in a file, of the shape of `default`, which is also the answer when there is no such file."""
    try:
        return cast(T, json.loads(path.read_text()))
    except FileNotFoundError:
        return default


def read_foreign(path: Path, largest: int) -> str | None:
    """The first `largest` bytes of a regular file, None without one.

    Its folder belongs to another user, so no link is followed and nothing can hold the reader up.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        return stream.read(largest).decode(errors="replace")


def write_json(path: Path, value: object, mode: int = 0o644) -> None:
    """Write a value as indented JSON, atomically."""
    write(path, json.dumps(value, indent=2, sort_keys=True) + "\n", mode)
