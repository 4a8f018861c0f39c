"""apt with a state of its own: another release's archives, and nothing installed."""

import json
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.bundle import cache, sources
from services.bundle.releases import Release, problem

FRESH_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Deb:
    """One package file as the archive describes it; its name holds the version, apt checks its hash."""

    file: str
    size: int


class Apt:
    """apt-get for one release, resolving from nothing installed.

    `extra` is a folder with further .deb files and their index; they count like any other archive.
    """

    def __init__(self, release: Release, extra: Path | None = None, status: Path | None = None) -> None:
        self.release = release
        self.folder = cache.folder() / "apt" / release.suite
        self.extra = extra
        self.status = status or self.folder / "status"

    def lists(self) -> list[str]:
        """The lines of sources.list that this release is resolved from."""
        lines = [source.line(self.release.suite) for source in sources.find()]
        return [*lines, f"deb [trusted=yes] copy:{self.extra} ./"] if self.extra else lines

    def update(self, *, refresh: bool) -> bool:
        """Ask the archives what they have, every 12 hours or by `refresh`; returns whether it asked."""
        wanted = "\n".join(self.lists()) + "\n"
        stamp = self.folder / "updated"
        known = stamp.exists() and stamp.read_text() == wanted
        if known and not refresh and time.time() - stamp.stat().st_mtime < FRESH_SECONDS:
            return False
        for name in ("lists/partial", "archives/partial", "nowhere/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(wanted)
        done = self._get("update", "-qq", "-o", "APT::Update::Error-Mode=any")
        if done.returncode and known and not refresh:
            made = datetime.fromtimestamp(stamp.stat().st_mtime, UTC)
            print(f"No archive can be reached; using the package lists of {made:%Y-%m-%d %H:%M} UTC.")
            return False
        if done.returncode:
            raise _unreachable(self.release, done.stderr)
        stamp.write_text(wanted)
        return True

    def resolve(self, packages: list[str]) -> list[Deb]:
        """Every package file that `packages` need, sorted by name; nothing is downloaded."""
        asked = (self.folder / "updated").stat().st_mtime_ns

        def build(folder: Path) -> None:
            debs = [asdict(deb) for deb in self._resolve(packages)]
            (folder / "debs.json").write_text(json.dumps(debs))

        key = cache.key_of(packages, asked, self.lists())
        known = cache.part("resolved", key, build, keep=8)
        return [Deb(**fields) for fields in json.loads((known / "debs.json").read_text())]

    def _resolve(self, packages: list[str]) -> list[Deb]:
        # Files in the download folder are left out of the list, so it is pointed at an empty one.
        nowhere = f"Dir::Cache::archives={self.folder / 'nowhere'}"
        done = self._get("install", "-qq", "-y", "--print-uris", "-o", nowhere, *packages)
        if done.returncode:
            raise problem(
                "unresolved",
                f"The packages for Debian {self.release.number} do not fit together.",
                f"apt-get said: {done.stderr.strip() or done.stdout.strip()[-1500:]}",
                "Correct the `packages` of the service manifests, or run again with --refresh.",
            )
        rows = re.findall(r"^'[^']*' (\S+) (\d+)", done.stdout, re.MULTILINE)
        return sorted((Deb(file, int(size)) for file, size in rows), key=lambda d: d.file)

    def download(self, packages: list[str]) -> Path:
        """The folder that now holds (among older ones) every file that `resolve(packages)` named."""
        done = self._get("install", "-qq", "-y", "--download-only", *packages)
        if done.returncode:
            raise _unreachable(self.release, done.stderr)
        self._get("autoclean", "-qq")
        return self.folder / "archives"

    def _get(self, *words: str) -> subprocess.CompletedProcess[str]:
        options = {
            "Dir::State": self.folder,
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.status,
            "Dir::Cache": self.folder,
            "Dir::Cache::archives": self.folder / "archives",
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Install-Recommends": "0",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "DPkg::Lock::Timeout": "120",
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return subprocess.run(["apt-get", *flags, *words], capture_output=True, text=True, check=False)


def _unreachable(release: Release, said: str) -> Exception:
    return problem(
        "no-archive",
        f"The package archives for Debian {release.number} could not be read.",
        f"apt-get said: {said.strip()[-1500:]}",
        "Check this machine's network and its apt sources, then run it again; nothing was changed.",
    )
