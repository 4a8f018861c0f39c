"""Building a bundle: parts from the cache, then one folder that appears complete or not at all."""

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab import base as bases
from services.bundle import archive, cache, debs, exchange, manifest, sbom, signing, venv, web, wheels
from services.bundle.manifest import Manifest
from services.bundle.releases import Release, problem
from services.runtime.errors import Problem

CACHE_BYTES = 3 * 10**9
OUT_BYTES = 600 * 10**6
SBOM = "sbom.cdx.json"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """What one Debian release's file is made of, each a folder of the cache."""

    release: Release
    repository: Path
    environment: Path
    assets: Path

    @property
    def inputs(self) -> str:
        """One hash over all parts."""
        return cache.key_of(self.repository.name, self.environment.name, self.assets.name)


@dataclass(frozen=True)
class Bundle:
    """A finished bundle."""

    folder: Path
    manifest: Manifest
    reused: bool


def build(releases: list[Release], out: Path, key_file: Path, *, refresh: bool, say: Say) -> Bundle:
    """Build the bundle for these releases below `out` and point `out`/latest to it.

    Raises Problem; then `out` is as it was.
    """
    _room(cache.folder(), CACHE_BYTES)
    _room(out, OUT_BYTES)
    key = signing.private_key(key_file)
    now = datetime.now(UTC)
    parts = [_parts(release, refresh=refresh, say=say) for release in releases]
    final = out / f"dss-{wheels.project()['version']}-{now:%Y%m%d}"
    known = _known(final, parts, signing.public_pem(key))
    if not known:
        say("writing the bundle")
        _write(final, parts, key, now)
    exchange.link(out / "latest", final.name)
    return Bundle(final, known or manifest.verify(final, trust=final / manifest.PUBLIC), reused=bool(known))


def _parts(release: Release, *, refresh: bool, say: Say) -> Parts:
    base = bases.ensure(int(release.number), say)
    say(f"Debian {release.number}: packages")
    repository = debs.repository(release, base, refresh=refresh)
    say(f"Debian {release.number}: virtual environment for Python {release.python}")
    environment = venv.environment(release, base, repository, refresh=refresh)
    say("web assets")
    return Parts(release, repository, environment, web.ensure_web())


def _known(final: Path, parts: list[Parts], public: bytes) -> Manifest | None:
    """The manifest of the bundle that is already there, if it holds these very parts and is sound."""
    try:
        found = manifest.verify(final, trust=final / manifest.PUBLIC)
        same_key = (final / manifest.PUBLIC).read_bytes() == public
    except (OSError, Problem):
        return None
    return found if same_key and found.releases == _releases(parts) else None


def _releases(parts: Iterable[Parts]) -> dict[str, dict[str, str]]:
    return {
        p.release.number: {"suite": p.release.suite, "python": p.release.python, "inputs": p.inputs}
        for p in parts
    }


def _write(final: Path, parts: list[Parts], key: Ed25519PrivateKey, now: datetime) -> None:
    for left in final.parent.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    working = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
    try:
        for part in parts:
            _pack(working, part)
        version = wheels.project()["version"]
        (working / SBOM).write_bytes(sbom.document("dss", version, now, _components(parts)))
        files = {path.name: manifest.measure(path) for path in sorted(working.iterdir())}
        made = Manifest(version, f"{now:%Y%m%d}", files, _releases(parts))
        manifest.write(working, made, key)
        working.chmod(0o755)
        exchange.publish(working, final)
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _pack(folder: Path, part: Parts) -> None:
    """One release's file: `repo/`, `venv.tar.gz`, `web.tar.gz`."""
    packed = folder / "web.tar.gz"
    archive.compressed(packed, part.assets, "web", age=archive.age_of_content, level=9)
    with tarfile.open(folder / f"{part.release.name}.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        archive.add(tar, part.repository, [Path("repo"), *(Path("repo") / p for p in _inside(part))])
        archive.add(tar, part.environment, [Path("venv.tar.gz")])
        archive.add(tar, folder, [Path("web.tar.gz")])
    packed.unlink()


def _inside(part: Parts) -> list[Path]:
    return archive.tree(part.repository / "repo")


def _components(parts: Iterable[Parts]) -> Iterable[sbom.Component]:
    for part in parts:
        number = part.release.number
        yield from (sbom.deb(package, number) for package in debs.packages(part.repository))
        yield from (sbom.wheel(package, number) for package in venv.packages(part.environment))
    yield from (sbom.npm(package) for package in web.components())


def _room(folder: Path, wanted: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise problem(
            "room",
            f"There is too little space for the bundle in {folder}.",
            f"{free / 1e9:.1f} GB are free, {wanted / 1e9:.1f} GB are needed.",
            "Make room, or choose another place with --out or DSS_CACHE.",
        )
