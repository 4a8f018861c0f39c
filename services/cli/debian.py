"""Debian packages that a verb needs on the controller: installed by name when missing."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.cli.verb import CannotError

# Often there without Debian's package of that name, which would then refuse to be installed beside it.
PROGRAMS = {"npm": "npm"}
# Units that these packages enable and start, although the tests only want the programs.
UNITS = {
    "mariadb-server": "mariadb",
    "nats-server": "nats-server",
    "nginx-light": "nginx",
    "redis-server": "redis-server",
}


def missing(packages: Iterable[str]) -> list[str]:
    """The packages of these that are not installed, in alphabetical order."""
    wanted = {name for name in packages if not (name in PROGRAMS and shutil.which(PROGRAMS[name]))}
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n", *sorted(wanted)]
    try:
        listing = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise CannotError("this is not a Debian machine. Use Debian 12 or 13.") from None
    present = {
        name for line in listing.splitlines() for name, state in [line.split()] if state == "installed"
    }
    return sorted(wanted - present)


def install(packages: Iterable[str], instead: str) -> None:
    """Install what is missing, without starting any server; `instead` says what works without."""
    wanted = missing(packages)
    if not wanted:
        return
    if os.geteuid():
        raise CannotError(
            f"Debian packages are missing, and only root can install them. Run it once as root, or:\n"
            f"  apt-get install --no-install-recommends {' '.join(wanted)}\n{instead}"
        )
    print("installing", *wanted, flush=True)
    _apt("update")
    with _off([UNITS[name] for name in wanted if name in UNITS]):
        _apt("install", "-y", "--no-install-recommends", *wanted)


def _apt(*words: str) -> None:
    # RUNLEVEL=1 keeps package scripts from starting servers where systemd is not running.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *words],
        env=quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise CannotError(
            f"apt-get {words[0]} failed: {said}\n"
            "Correct the cause (network, disk space, /etc/apt) and run it again."
        )


@contextlib.contextmanager
def _off(units: list[str]) -> Iterator[None]:
    """Keep units from being started by their packages, now and at the next boot of this machine."""
    if not units or not Path("/run/systemd/system").is_dir():
        yield
        return
    _systemctl("mask", "--runtime", *units)
    try:
        yield
    finally:
        _systemctl("unmask", "--runtime", *units)
        _systemctl("disable", *units)


def _systemctl(*words: str) -> None:
    subprocess.run(["systemctl", "--quiet", *words], capture_output=True, check=False)
