"""The Debian packages of a bundle: the whole closure, as an archive from which a bare host can install."""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from services import catalog
from services.bundle import cache, index
from services.bundle.aptstate import Apt
from services.bundle.index import Package
from services.bundle.releases import RELEASES, Release, problem

# Packages that a release takes from another one, with the reason in docs/design/bundle.md.
BORROWED = {"12": {"nats-server": "13"}}


def wanted() -> list[str]:
    """Names of the packages that the playbooks install on nodes of any role, in alphabetical order."""
    loaded = catalog.load()
    return sorted({name for role in ("main", "sub") for name in catalog.packages(loaded, role)})


def repository(release: Release, base: Path, *, refresh: bool = False) -> Path:
    """The folder with `repo/` (the archive) and `packages.json`, proven to install on the bare host `base`.

    Raises Problem when archives cannot be read or packages do not fit together.
    """
    borrowed = _borrowed(release, refresh=refresh)
    apt = Apt(release, extra=borrowed)
    apt.update(refresh=refresh)
    debs = apt.resolve(wanted())
    if borrowed:
        _check_borrowed(release, borrowed, {deb.file for deb in debs})

    def build(folder: Path) -> None:
        archives = apt.download(wanted())
        repo = folder / "repo"
        repo.mkdir()
        for deb in debs:
            os.link(archives / deb.file, repo / deb.file)
        packages = index.write(repo)
        _prove(release, repo, base)
        (folder / "packages.json").write_text(json.dumps([asdict(package) for package in packages]))

    return cache.part("repo", cache.key_of([asdict(deb) for deb in debs], _status(base)), build)


def packages(repository: Path) -> list[Package]:
    """What `repository` gave."""
    return [Package(**fields) for fields in json.loads((repository / "packages.json").read_text())]


def _status(base: Path) -> str:
    return cache.key_of((base / "var/lib/dpkg/status").read_text())


def _borrowed(release: Release, *, refresh: bool) -> Path | None:
    """A small archive of the packages that this release takes from another one, or None."""
    sources = BORROWED.get(release.number)
    if not sources:
        return None
    debs = []
    for name, number in sorted(sources.items()):
        lender = Apt(RELEASES[number])
        lender.update(refresh=refresh)
        debs += [(lender, name, deb) for deb in lender.resolve([name]) if deb.file.startswith(f"{name}_")]

    def build(folder: Path) -> None:
        for lender, name, deb in debs:
            shutil.copy(lender.download([name]) / deb.file, folder)
        index.write(folder)

    return cache.part("borrowed", cache.key_of([asdict(deb) for _, _, deb in debs]), build)


def _check_borrowed(release: Release, borrowed: Path, chosen: set[str]) -> None:
    """The borrowed packages themselves must have been chosen, not the release's own older ones."""
    for deb in borrowed.glob("*.deb"):
        if deb.name not in chosen:
            raise problem(
                "borrowed",
                f"Debian {release.number} would not get {deb.name}.",
                "It is taken from another Debian release, but apt preferred a package of the release itself.",
                "Run again with --refresh; if it stays, correct BORROWED in services/bundle/debs.py.",
            )


def _prove(release: Release, repo: Path, base: Path) -> None:
    """Let apt plan the installation on the bare host with this archive as its only one."""
    with tempfile.TemporaryDirectory() as scratch:
        done = _simulate(Path(scratch), repo, base)
    if done.returncode:
        raise problem(
            "incomplete",
            f"The packages for Debian {release.number} would not install on a bare host.",
            f"apt-get said: {(done.stderr or done.stdout).strip()[-1500:]}",
            "Run again with --refresh; if it stays, the mirror is in the middle of an update.",
        )


def _simulate(scratch: Path, repo: Path, base: Path) -> subprocess.CompletedProcess[str]:
    (scratch / "lists/partial").mkdir(parents=True)
    (scratch / "sources.list").write_text(f"deb [trusted=yes] file:{repo} ./\n")
    options = {
        "Dir::State": scratch,
        "Dir::State::status": base / "var/lib/dpkg/status",
        "Dir::Cache": scratch,
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", *flags, "update", "-qq"], capture_output=True, check=True)
    plan = ["apt-get", *flags, "install", "--simulate", "-qq", *wanted()]
    return subprocess.run(plan, capture_output=True, text=True, check=False)
