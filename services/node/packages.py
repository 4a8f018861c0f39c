"""Debian packages from the bundle alone: no other source is read, no service starts before it is configured.

The repository is marked trusted instead of carrying a signature of its own: the controller has verified the
bundle's Ed25519 signature, and the node has compared the archive with the SHA-256 in that signed manifest
before unpacking it.
"""

import os
import subprocess
from pathlib import Path

from services.node import files, footprint
from services.node.report import Report
from services.runtime.errors import Problem

SECONDS = 900


def installed(names: list[str]) -> set[str]:
    """Those of `names` that dpkg has completely installed."""
    command = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n", *names]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {line.split()[1] for line in text.splitlines() if line.startswith("ii ")}


def options(repository: Path, work: Path) -> list[str]:
    """apt-get options that leave exactly one source: the bundle's repository."""
    source = work / "sources.list"
    settings = {
        "Dir::Etc::sourcelist": source,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": work / "lists",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Dpkg::Options::": "--force-confold",
        "Dpkg::Use-Pty": "0",
    }
    work.joinpath("lists", "partial").mkdir(parents=True, exist_ok=True)
    files.write(source, f"deb [trusted=yes] file:{repository} ./\n")
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def install(wanted: dict[str, list[str]], repository: Path, work: Path, check: bool = False) -> Report:
    """Install what is missing of `wanted`; Problem with apt's own words when that fails.

    `wanted`: package → units it would start by itself; they stay masked until they are configured.
    """
    report = Report()
    missing = sorted(set(wanted) - installed(list(wanted)))
    report.extend(f"package {name}" for name in missing)
    if not missing or check:
        return report
    with footprint.watched(work.parent, [unit for units in wanted.values() for unit in units]):
        _mask([unit for name in missing for unit in wanted[name]])
        chosen = options(repository, work)
        _run(["dpkg", "--configure", "-a"])
        _run(["apt-get", "-qq", *chosen, "update"])
        _run(["apt-get", "-y", "-qq", *chosen, "install", *missing])
    return report


def _mask(units: list[str]) -> None:
    """A mask, not policy-rc.d: it also holds when the node loses power now and boots half-installed."""
    if units:
        _run(["systemctl", "mask", "--quiet", *units])


def _run(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if done.returncode:
        raise Problem(
            "packages-not-installed",
            f"{command[0]} failed with code {done.returncode}.",
            (done.stderr or done.stdout).strip()[-2000:],
            "Correct the cause on the node and run the playbook again; nothing else has been changed.",
        )
