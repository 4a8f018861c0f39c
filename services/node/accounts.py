"""The user and the folders of a node, as sysusers.d(5) and tmpfiles.d(5) describe them."""

import pwd
import subprocess
from pathlib import Path

from services.node import files, footprint
from services.node.report import Report

USERS, FOLDERS = Path("/etc/sysusers.d/dss.conf"), Path("/etc/tmpfiles.d/dss.conf")


def ensure(check: bool = False) -> Report:
    """Make what is missing of them."""
    report = Report()
    try:
        pwd.getpwnam("dss")
    except KeyError:
        report.add("user dss")
        if not check:
            with footprint.watched(files.STATE, []):
                _run(check, "systemd-sysusers", str(USERS))
    owners = _folders()
    # Numbers of users may be others after a reinstallation, or on the disk of another host.
    strange = {folder: owner for folder, owner in owners.items() if _belongs_to_another(Path(folder), owner)}
    report.extend(f"owner of {folder}" for folder in strange)
    for folder, owner in strange.items():
        _run(check, "chown", "--recursive", "--no-dereference", owner, folder)
    missing = [folder for folder in owners if not Path(folder).is_dir()]
    report.extend(f"folder {folder}" for folder in missing)
    if missing:
        _run(check, "systemd-tmpfiles", "--create", str(FOLDERS))
    return report


def _folders() -> dict[str, str]:
    """Folder → `user:group`, from the lines `d PATH MODE USER GROUP` of tmpfiles.d(5)."""
    lines = FOLDERS.read_text().splitlines() if FOLDERS.is_file() else []
    words = [line.split() for line in lines if line.startswith("d ")]
    return {word[1]: f"{word[3]}:{word[4]}" for word in words}


def _belongs_to_another(folder: Path, owner: str) -> bool:
    """Whether a folder of a service has an owner that is not that service's; root's are left as they are."""
    user = owner.partition(":")[0]
    try:
        return user != "root" and folder.is_dir() and folder.stat().st_uid != pwd.getpwnam(user).pw_uid
    except KeyError:
        return False


def _run(check: bool, *words: str) -> None:
    if not check:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
