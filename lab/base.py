"""The read-only ground every host stands on: a bare Debian server, made once per release.

"Bare" means what Debian's installer leaves with "SSH server" and "standard system utilities" ticked,
reduced to what a playbook may rely on: systemd, D-Bus, OpenSSH, Python 3, sudo, iproute2 and certificates.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from lab.tools import LabError, cache, locked, run, save
from services.bundle import releases, sources

RELEASES = {int(release.number): release.suite for release in releases.RELEASES.values()}
PACKAGES = [
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "libpam-systemd",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd-sysv",
]
MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer", "e2scrub_all.timer"]
RECIPE = "1"


def folder(release: int) -> Path:
    """Where the base of a release lies; raises LabError for a release nobody builds."""
    if release not in RELEASES:
        raise LabError(f"Debian {release} is not known to the lab. Choose one of {sorted(RELEASES)}.")
    return cache() / "base" / RELEASES[release]


def ready(release: int) -> bool:
    """Whether a base made by this very recipe is there."""
    stamp = folder(release) / ".made"
    return stamp.exists() and stamp.read_text() == _recipe(release)


def ensure(release: int, say: Callable[[str], None] = print) -> Path:
    """Make the base if it is missing (a minute or two, needs the package mirror); returns its folder."""
    place = folder(release)
    with locked(cache() / "base" / f".{RELEASES[release]}.lock"):
        if not ready(release):
            say(f"making the Debian {release} base (once, one to two minutes)")
            _make(release, place)
    return place


def _recipe(release: int) -> str:
    words = [RECIPE, RELEASES[release], *PACKAGES, *MASKED]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _make(release: int, place: Path) -> None:
    if _in_use(place):
        raise LabError(f"{place} must be made anew but a lab stands on it. Run ./dss lab down first.")
    source = sources.archive()
    debs = cache() / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    run(
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        f"--cache-dir={debs}",
        f"--keyring={source.keyring or sources.KEYRING}",
        RELEASES[release],
        new,
        source.url,
    )
    neutralise(new)
    _site(new)
    save(new / ".made", _recipe(release))
    shutil.rmtree(place, ignore_errors=True)
    new.rename(place)


def _in_use(place: Path) -> bool:
    return any(str(place) in line for line in Path("/proc/mounts").read_text().splitlines())


def neutralise(root: Path) -> None:
    """Remove what must differ between two hosts: machine id, SSH host keys, name, journal."""
    (root / "etc/machine-id").write_text("")
    for path in [root / "var/lib/dbus/machine-id", *root.glob("etc/ssh/ssh_host_*"), root / "etc/hostname"]:
        path.unlink(missing_ok=True)
    for path in [*root.glob("var/log/journal/*"), *root.glob("var/cache/apt/archives/*.deb")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _site(root: Path) -> None:
    """Static addresses by networkd; no timers that wake an idle host in the middle of a measurement."""
    units = root / "etc/systemd/system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    networkd = wants / "systemd-networkd.service"
    if not networkd.is_symlink():
        networkd.symlink_to("/lib/systemd/system/systemd-networkd.service")
    for timer in MASKED:
        (units / timer).unlink(missing_ok=True)
        (units / timer).symlink_to("/dev/null")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("")
