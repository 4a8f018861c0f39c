"""A folder of .deb files as an archive that apt can read, and what each package says of itself."""

import gzip
import hashlib
import json
import re
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from services.bundle import cache


@dataclass(frozen=True)
class Package:
    """One Debian package: SHA-256 of its file, licences as its copyright file calls them (DEP 5)."""

    name: str
    version: str
    architecture: str
    file: str
    size: int
    sha256: str
    licences: list[str]
    control: str


def write(folder: Path) -> list[Package]:
    """Write Packages.gz (deb-control(5), flat archive) beside the .deb files of `folder`."""
    with ThreadPoolExecutor(2) as pool:
        packages = list(pool.map(describe, sorted(folder.glob("*.deb"))))
    text = "".join(_entry(package) for package in packages)
    (folder / "Packages.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return packages


def describe(deb: Path) -> Package:
    """What one .deb holds; remembered by the hash of the file, as reading its licences unpacks all of it."""
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()

    def build(folder: Path) -> None:
        control = subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, text=True, check=True).stdout
        fields = dict(re.findall(r"^([\w-]+): (.*)$", control, re.MULTILINE))
        found = Package(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            file=deb.name,
            size=deb.stat().st_size,
            sha256=digest,
            licences=_licences(deb, fields["Package"]),
            control=control,
        )
        (folder / "package.json").write_text(json.dumps(asdict(found)))

    known = cache.part("deb", digest, build, keep=600)
    return Package(**json.loads((known / "package.json").read_text()))


def _entry(package: Package) -> str:
    facts = {"Filename": f"./{package.file}", "Size": package.size, "SHA256": package.sha256}
    return package.control.rstrip("\n") + "\n" + "".join(f"{k}: {v}\n" for k, v in facts.items()) + "\n"


def _licences(deb: Path, name: str) -> list[str]:
    """Short names in the copyright file, none where it is prose or stands in another package."""
    wanted = f"./usr/share/doc/{name}/copyright"
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
            text = next((_read(tar, member) for member in tar if member.name == wanted), "")
        unpack.kill()
    return sorted(set(re.findall(r"^License:[ \t]*([\w.+-]+)", text, re.MULTILINE | re.IGNORECASE)))


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = tar.extractfile(member) if member.isreg() else None
    return content.read().decode("utf-8", "replace") if content else ""
