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
ICONS = (
    "activity alert-triangle bell building-broadcast-tower camera check chevron-down chevron-right circle-check "
    "circle-dashed circle-x clock cpu database device-cctv device-desktop device-floppy download eye eye-off "
    "history home info-circle key layout-dashboard layout-grid license list lock login logout map-pin menu-2 "
    "moon network pencil player-play player-stop plug-connected plug-connected-x plus power refresh router "
    "search server server-2 settings shield-check sitemap square sun topology-star trash user users video x"
).split()
FILES = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.min.js": "@tabler/core/dist/js/tabler.min.js",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    **{f"icons/{name}.svg": f"@tabler/icons/icons/outline/{name}.svg" for name in ICONS},
}


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


def hashes(folder: Path) -> dict[str, str]:
    """SHA-384 of every asset below `folder`, in the form of an `integrity` attribute."""
    return {name: _sri(folder / name) for name in sorted(FILES)}


def _key() -> str:
    pins = [(HERE / name).read_text() for name in ("package.json", "package-lock.json", "sha384.json")]
    return cache.key_of(pins, FILES)


def _build(folder: Path) -> None:
    _collect(folder)
    found, pinned = hashes(folder), json.loads(PINS.read_text())
    for name in found.keys() | pinned.keys():
        if found.get(name) != pinned.get(name):
            raise problem(
                "asset",
                f"The web asset {name} is not the one that was pinned.",
                f"web/sha384.json says {pinned.get(name)}, the package holds {found.get(name)}.",
                "If you changed the packages on purpose, run `python -m services.bundle.web` and review the change.",
            )
    (folder / "sha384.json").write_text(json.dumps(found, indent=1) + "\n")


def _collect(folder: Path) -> None:
    work = folder / ".npm"
    modules = _install(work)
    for name, source in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
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
    PINS.write_text(PINS.read_text() if PINS.exists() else "{}")

    def build(folder: Path) -> None:
        _collect(folder)
        PINS.write_text(json.dumps(hashes(folder), indent=1) + "\n")

    cache.part(cache.folder() / "web-pin", _key(), build, refresh=True)
    print(f"pinned {len(FILES)} files in {PINS}", file=sys.stderr)


if __name__ == "__main__":
    _pin()
