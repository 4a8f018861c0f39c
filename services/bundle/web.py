"""Web assets of the portal: taken from npm packages pinned by hash, never committed, never from a CDN."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from services.bundle import cache
from services.bundle.releases import problem

HERE = Path(__file__).resolve().parents[2] / "web"
PINS = HERE / "sha384.json"
SOURCES = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.min.js": "@tabler/core/dist/js/tabler.min.js",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
}
ICONS = "@tabler/icons/icons/outline"


def ensure_web(folder: Path | None = None) -> Path:
    """The folder of assets with LICENSES.txt and `sha384.json` ({file: "sha384-…"}, as in the SRI standard).

    Built once by npm, then taken from the cache (`folder`, default the bundle's own). Raises Problem when
    npm cannot fetch the packages or a file is not the pinned one.
    """
    place = (folder or cache.folder()) / "web"
    return cache.part(place, _key(), _build)


def components() -> list[dict[str, str]]:
    """The npm packages behind the assets: name, version, licence, integrity (SRI, SHA-512)."""
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    return [
        {
            "name": path.removeprefix("node_modules/"),
            "version": entry["version"],
            "license": entry.get("license", ""),
            "integrity": entry["integrity"],
        }
        for path, entry in sorted(lock.items())
        if path
    ]


def pins() -> dict[str, str]:
    """The assets and their pinned hashes; icons are added here."""
    pinned: dict[str, str] = json.loads(PINS.read_text())
    return pinned


def hashes(folder: Path) -> dict[str, str]:
    """SHA-384 of every asset below `folder`, in the form of an `integrity` attribute."""
    return {name: _sri(folder / name) for name in sorted(pins())}


def _key() -> str:
    names = ("package.json", "package-lock.json", "sha384.json")
    return cache.key_of([(HERE / name).read_text() for name in names], SOURCES, ICONS)


def _build(folder: Path) -> None:
    _collect(folder)
    found = hashes(folder)
    for name, pinned in pins().items():
        if found[name] != pinned:
            raise problem(
                "asset",
                f"The web asset {name} is not the one that was pinned.",
                f"web/sha384.json says {pinned or 'nothing'}, the package holds {found[name]}.",
                "If you changed web/ on purpose, run `python -m services.bundle.web` and review the change.",
            )
    (folder / "sha384.json").write_text(json.dumps(found, indent=1) + "\n")


def _collect(folder: Path) -> None:
    work = folder / ".npm"
    modules = _install(work)
    (folder / "icons").mkdir()
    for name in pins():
        source = SOURCES.get(name) or f"{ICONS}/{Path(name).name}"
        shutil.copyfile(modules / source, folder / name)
    (folder / "LICENSES.txt").write_text("\n".join(_licences(modules)))
    shutil.rmtree(work)


def _install(work: Path) -> Path:
    work.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, work / name)
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        done = subprocess.run(npm, cwd=work, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        done = subprocess.CompletedProcess(npm, 127, "", "npm is not installed (Debian package npm)")
    if done.returncode:
        raise problem(
            "npm",
            "The web assets could not be fetched.",
            f"npm said: {done.stderr.strip()[-1500:]}",
            "Check this machine's network and npm registry setting, then run it again; nothing was changed.",
        )
    return work / "node_modules"


def _licences(modules: Path) -> Iterator[str]:
    for package in components():
        texts = sorted((modules / package["name"]).glob("LICENSE*"))
        yield f"{package['name']} {package['version']}, {package['license']}\n"
        yield from (text.read_text() for text in texts)
        yield "-" * 78 + "\n"


def _sri(path: Path) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode()


def _pin() -> None:
    """Write the hashes of what the locked packages hold now into web/sha384.json."""

    def build(folder: Path) -> None:
        _collect(folder)
        PINS.write_text(json.dumps(hashes(folder), indent=1) + "\n")

    cache.part(cache.folder() / "web-pin", _key(), build, refresh=True)
    print(f"pinned {len(pins())} files in {PINS}", file=sys.stderr)


if __name__ == "__main__":
    _pin()
