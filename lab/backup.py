"""Backups of a site in a lab: keys for them, and their files brought to the controller."""

import json
import shutil
import subprocess
from pathlib import Path

from lab.host import Host
from lab.site import Site
from lab.tools import LabError
from services import sealed
from services.cli import backup

FOLDER = "/srv/backups"


def options(key: Path, keep: int = 2) -> tuple[str, str]:
    """The inventory's keys for backups with the private key `key`, as they stand on a command line."""
    public = sealed.public_text(backup.private_key(key))
    return "-e", json.dumps({"dss_backup_key": public, "dss_backup_path": FOLDER, "dss_backup_keep": keep})


def newest(site: Site, host: str) -> str:
    """Path of a host's newest backup, on that host."""
    return site.on(host, "sh", "-c", f"ls {FOLDER}/{host}_*.dssbackup | tail -1").strip()


def fetch(site: Site, host: str, path: str, to: Path) -> Path:
    """Copy a file of a host, byte by byte."""
    machine = site.lab.host(host)
    if not isinstance(machine, Host):
        raise LabError(f"{host} is a camera and has no files to fetch.")
    to.write_bytes(subprocess.run(machine.command("cat", path), capture_output=True, check=True).stdout)
    return to


def lose(site: Site, host: str) -> None:
    """A host burns down with all its disks; a bare one stands in its place."""
    machine = site.lab.host(host)
    if not isinstance(machine, Host):
        raise LabError(f"{host} is a camera and has no disks to lose.")
    machine.poweroff()
    for disk in (machine.disks.upper, machine.folder / "work"):
        shutil.rmtree(disk)
    for image in machine.folder.glob("disk*.img"):
        image.unlink()
    site.lab.boot(host)
