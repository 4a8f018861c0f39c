"""All rendered files of a release as one folder: kept when it is replaced, staged before it is put in place.

The folder repeats the paths of the node with content, mode and owner, and holds the record of
services/node/tree.py, which wrote them. Secrets stand in some of the files, so it is root's alone.
"""

import shutil
from pathlib import Path
from typing import Any

from services.node import files, tree

RECORD = Path(tree.RECORD)


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
            tree.add_verb(affected, path, units)
            _copy(kept / path.lstrip("/"), root / path.lstrip("/"))
    for path in before.keys() - after.keys():
        tree.add_verb(affected, path, before[path])
        (root / path.lstrip("/")).unlink(missing_ok=True)
    _remember(root, after)
    return affected


def _remember(root: Path, listing: dict[str, list[str]]) -> None:
    files.write_if_changed(root / RECORD, tree.record_text(listing))


def _differs(one: Path, other: Path) -> bool:
    return tree.current(str(one)) != tree.current(str(other))


def _copy(source: Path, target: Path) -> None:
    """Content, mode and owner, durable under the final name."""
    state = tree.current(str(source))
    assert state
    tree.write(str(target), *state)
