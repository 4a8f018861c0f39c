"""Where this machine gets Debian packages: bundles and the lab's hosts are made from the same places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.bundle.releases import problem

APT = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Debian's cloud images name a file that lists mirrors, the best one first (apt-transport-mirror(1)).
LISTED = "mirror+file:"
POCKETS = ("", "-updates", "-security")
# sources.list(5) allows both spellings of a release: its codename and its place in the order.
SUITES = ("bookworm", "trixie", "forky", "stable", "oldstable", "oldoldstable", "testing")


@dataclass(frozen=True)
class Source:
    """One archive and one pocket of a Debian release in it ("" for the release itself)."""

    url: str
    pocket: str
    keyring: str | None

    def line(self, suite: str) -> str:
        """The one-line form of sources.list(5) for the release called `suite`."""
        options = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb {options}{self.url} {suite}{self.pocket} main"


def find(apt: Path = APT) -> list[Source]:
    """Debian's own archives of this machine, with updates and security where it uses them.

    Raises Problem when the machine has no Debian archive (it is no Debian, or its sources were emptied).
    """
    found = list(dict.fromkeys([*_one_line(apt), *_stanzas(apt)]))
    if not any(source.pocket == "" for source in found):
        raise problem(
            "no-source",
            f"No Debian archive is named in {apt}.",
            "The bundle takes Debian packages from the archives this machine itself uses.",
            "Add your Debian mirror to /etc/apt/sources.list (`deb URL CODENAME main`) and run it again.",
        )
    return found


def archive(apt: Path = APT) -> Source:
    """The archive of whole releases, as debootstrap wants it; raises Problem as `find` does."""
    return next(source for source in find(apt) if source.pocket == "")


def _one_line(apt: Path) -> Iterator[Source]:
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.exists() else []:
            match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.split("#")[0].strip())
            if match and "main" in match[4].split():
                keyring = re.search(r"signed-by=(\S+)", match[1] or "")
                yield from _sources([match[2]], [match[3]], keyring[1] if keyring else None)


def _stanzas(apt: Path) -> Iterator[Source]:
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            words = {name.lower(): value.split() for name, value in fields.items()}
            usable = "deb" in words.get("types", []) and "main" in words.get("components", [])
            if usable and words.get("enabled") != ["no"]:
                keyring = (words.get("signed-by") or [None])[0]
                yield from _sources(words.get("uris", []), words.get("suites", []), keyring)


def _sources(urls: list[str], suites: list[str], keyring: str | None) -> Iterator[Source]:
    """Third parties publish a `main` too; only Debian's archives have suites named like its releases."""
    for url in urls:
        for suite in suites:
            release, dash, pocket = suite.partition("-")
            if release in SUITES and dash + pocket in POCKETS:
                yield Source(_url(url).rstrip("/"), dash + pocket, keyring)


def _url(text: str) -> str:
    """The address itself, or the first one of the file that is named instead."""
    if not text.startswith(LISTED):
        return text
    listed = Path("/" + text.removeprefix(LISTED).lstrip("/")).read_text().splitlines()
    return next(line.split()[0] for line in listed if line.strip() and not line.startswith("#"))
