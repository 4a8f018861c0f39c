"""What installing packages adds to a host beyond our own files, so that uninstalling takes away exactly that.

`/var/lib/dss/footprint.json`: {"packages", "users", "groups": what DSS added; "active": units of ours that
somebody else had running before; "before": the host's state while an installation is under way, else null}.
"""

import grp
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.node import files

NAME = "footprint.json"
KINDS = ("packages", "users", "groups")


@contextmanager
def watched(state: Path, units: list[str]) -> Iterator[None]:
    """Note what appears on the host meanwhile; a run cut by power is added up by the next one."""
    path = state / NAME
    nothing: dict[str, Any] = {kind: [] for kind in KINDS} | {"active": None, "before": None}
    record = files.read_json(path, nothing)
    if record["active"] is None:
        record["active"] = [unit for unit in units if _active(unit)]
    _settle(record)
    record["before"] = now()
    files.write_json(path, record)
    try:
        yield
    finally:
        _settle(record)
        files.write_json(path, record)


def now() -> dict[str, list[str]]:
    """Packages (everything dpkg has files of), users and groups of this host."""
    command = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\n"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split("\n")
    return {
        "packages": sorted(line.split()[1] for line in lines if line and line[1] not in "nc"),
        "users": sorted(user.pw_name for user in pwd.getpwall()),
        "groups": sorted(group.gr_name for group in grp.getgrall()),
    }


def _settle(record: dict[str, Any]) -> None:
    if record["before"] is None:
        return
    after = now()
    for kind in KINDS:
        record[kind] = sorted(set(record[kind]) | set(after[kind]) - set(record["before"][kind]))
    record["before"] = None


def _active(unit: str) -> bool:
    done = subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False, timeout=60)
    return done.returncode == 0
