"""All rendered files of a release as one folder: kept when it is replaced, staged before it is put in place.

The folder repeats the paths of the node with content, mode and owner, and holds the record of
playbooks/library/dss_tree.py, which wrote them. Secrets stand in some of the files, so it is root's alone.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from services.node import files

RECORD = Path("etc/dss/installed.json")
UNITS = "/etc/systemd/"
RELOADABLE = {"nginx.service", "dss-firewall.service"}


def listed(root: Path) -> dict[str, list[str]]:
    """Path → units to restart, of every file in the tree at `root`; empty where none was installed."""
    empty: dict[str, Any] = {"files": {}}
    found: dict[str, list[str]] = files.read_json(root / RECORD, empty)["files"]
    return found


def capture(kept: Path, root: Path = Path("/")) -> None:
    """Keep the tree that is in force as the folder `kept`, complete or not at all."""
    fresh = kept.with_name(kept.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    fresh.chmod(0o700)
    for path in [*listed(root), f"/{RECORD}"]:
        source = root / path.lstrip("/")
        if source.is_file():
            _copy(source, fresh / path.lstrip("/"))
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
    files.sync_folder(kept.parent)


def apply(kept: Path, root: Path = Path("/")) -> dict[str, str]:
    """Make the node's files those of `kept`, each replaced atomically; units → `reload` or `restart`.

    It can be repeated from any point: the record is replaced last, and lists both trees until then.
    """
    before, after = listed(root), listed(kept)
    affected: dict[str, str] = {}
    _remember(root, {**before, **after})
    for path, units in after.items():
        if _differs(kept / path.lstrip("/"), root / path.lstrip("/")):
            _note(affected, path, units)
            _copy(kept / path.lstrip("/"), root / path.lstrip("/"))
    for path in before.keys() - after.keys():
        _note(affected, path, before[path])
        (root / path.lstrip("/")).unlink(missing_ok=True)
    _remember(root, after)
    return affected


def _note(affected: dict[str, str], path: str, units: list[str]) -> None:
    for unit in units:
        if affected.get(unit) != "restart":
            reload = unit in RELOADABLE and not path.startswith(UNITS)
            affected[unit] = "reload" if reload else "restart"


def _remember(root: Path, listing: dict[str, list[str]]) -> None:
    text = json.dumps({"files": dict(sorted(listing.items()))}, indent=1) + "\n"
    files.write_if_changed(root / RECORD, text)


def _differs(one: Path, other: Path) -> bool:
    if not other.is_file():
        return True
    first, second = one.stat(), other.stat()
    marks = [(s.st_mode, s.st_uid, s.st_gid, s.st_size) for s in (first, second)]
    return marks[0] != marks[1] or one.read_bytes() != other.read_bytes()


def _copy(source: Path, target: Path) -> None:
    """Content, mode and owner, durable under the final name."""
    state = source.stat()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.dss-new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        os.fchown(handle, state.st_uid, state.st_gid)
        os.fchmod(handle, state.st_mode & 0o7777)
        stream.write(source.read_bytes())
        stream.flush()
        os.fsync(handle)
    temporary.replace(target)
    files.sync_folder(target.parent)
