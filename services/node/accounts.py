"""The user and the folders of a node, as sysusers.d(5) and tmpfiles.d(5) describe them."""

import pwd
import subprocess
from pathlib import Path

from services.node.report import Report

USERS, FOLDERS = Path("/etc/sysusers.d/dss.conf"), Path("/etc/tmpfiles.d/dss.conf")


def ensure(check: bool = False) -> Report:
    """Make what is missing of them."""
    report = Report()
    try:
        pwd.getpwnam("dss")
    except KeyError:
        report.add("user dss")
        _run(check, "systemd-sysusers", str(USERS))
    missing = [folder for folder in _folders() if not Path(folder).is_dir()]
    report.extend(f"folder {folder}" for folder in missing)
    if missing:
        _run(check, "systemd-tmpfiles", "--create", str(FOLDERS))
    return report


def _folders() -> list[str]:
    lines = FOLDERS.read_text().splitlines() if FOLDERS.is_file() else []
    return [line.split()[1] for line in lines if line.startswith("d ")]


def _run(check: bool, *words: str) -> None:
    if not check:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
