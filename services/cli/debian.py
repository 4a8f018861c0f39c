"""Debian packages that a verb needs on the controller: installed by name when missing."""

import os
import shutil
import subprocess
from collections.abc import Iterable

from services.cli.verb import CannotError


def missing(packages: Iterable[str]) -> list[str]:
    """The packages of these that are not installed, in alphabetical order."""
    wanted = set(packages)
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n", *sorted(wanted)]
    listing = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    present = {
        name for line in listing.splitlines() for name, state in [line.split()] if state == "installed"
    }
    return sorted(wanted - present)


def install(packages: Iterable[str], instead: str) -> None:
    """Install what is missing, without starting any service; `instead` says what works without."""
    wanted = missing(packages)
    if not wanted:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise CannotError(
            f"these Debian packages are needed: {' '.join(wanted)}.\nInstall them as root, or {instead}."
        )
    print("installing", *wanted, flush=True)
    # RUNLEVEL=1 keeps package scripts from starting servers on the controller.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *wanted]):
        subprocess.run(["apt-get", "-qq", *words], check=True, env=quiet, stdout=subprocess.DEVNULL)
