"""The suite as one prebuilt virtual environment per release, in two layers: new source costs seconds."""

import json
import shlex
import shutil
import zipfile
from dataclasses import asdict
from pathlib import Path

from services.bundle import archive, cache, debs, wheels
from services.bundle.chroot import Chroot
from services.bundle.releases import Release
from services.bundle.wheels import SHOWN, Wheel, discard, pip_inside

# Services run without docstrings (-OO), which saves memory; the command line and the playbooks run with them.
LEVELS = ["-o", "0", "-o", "2"]
COMPILE = ["python3", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash", *LEVELS]
# A fixed seed makes the order of sets in compiled constants, hence the bytes of the files, repeatable.
REPEATABLE = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(archive.EPOCH)}


def place() -> str:
    """The folder of this release of the suite on a node."""
    return f"/opt/dss/releases/{wheels.project()['version']}"


def interpreter(release: Release, base: Path, repository: Path) -> list[Path]:
    """The layers of a bare host that has the release's python3, taken from the bundle's own archive."""
    version = next(p.version for p in debs.packages(repository) if p.name == "python3")
    python = next(p.version for p in debs.packages(repository) if p.name == f"python{release.python}")
    if (base / "usr/bin/python3").exists():
        return [base]

    def build(folder: Path) -> None:
        (folder / "sources.list").write_text("deb [trusted=yes] file:/mnt/repo ./\n")
        apt = ["apt-get", "-qq", "-o", "Dir::Etc::sourcelist=/mnt/apt/sources.list"]
        apt += ["-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=root"]
        chroot = Chroot([base], {"/mnt/repo": repository / "repo", "/mnt/apt": folder})
        chroot.run(folder, "sh", "-c", f"{' '.join(apt)} update && {' '.join(apt)} install -y python3")
        for name in ("work", "root"):
            shutil.rmtree(folder / name)

    return [cache.part("python", cache.key_of(version, python, release.number), build) / "upper", base]


def environment(release: Release, base: Path, repository: Path, *, refresh: bool = False) -> Path:
    """The folder with `venv.tar.gz` (members `venv/…`) and `wheels.json` for this release.

    Raises Problem when packages cannot be had, or when what was built does not import on a bare host.
    """
    python = interpreter(release, base, repository)
    store = wheels.wheelhouse(release, python, refresh=refresh)
    below = _dependencies(release, python, store)
    suite = wheels.suite(wheels.build_tools())

    def build(folder: Path) -> None:
        _install_suite(folder, suite, release, [below / "upper", *python])
        archive.compressed(folder / "suite.tar.gz", folder / f"upper{place()}/venv", "venv")
        archive.join(folder / "venv.tar.gz", [below / "venv.tar.gz", folder / "suite.tar.gz"])
        described = [wheels.describe(file) for file in [*_installed(store), suite]]
        (folder / "wheels.json").write_text(json.dumps([asdict(wheel) for wheel in described]))
        (folder / "suite.tar.gz").unlink()
        discard(folder)

    return cache.part("venv", cache.key_of(below.name, suite.parent.name, release.number), build)


def packages(environment: Path) -> list[Wheel]:
    """What `environment` installed."""
    return [Wheel(**fields) for fields in json.loads((environment / "wheels.json").read_text())]


def _installed(store: Path) -> list[Path]:
    return [wheel for wheel in sorted(store.glob("*.whl")) if not wheel.name.startswith("pip-")]


def _dependencies(release: Release, python: list[Path], store: Path) -> Path:
    """The layer below: everything but the project itself, with its compressed tar that has no end mark."""
    names = [wheel.name for wheel in _installed(store)]

    def build(folder: Path) -> None:
        chroot = Chroot(python, {SHOWN: store}, REPEATABLE)
        target = f"{place()}/venv"
        install = [*pip_inside(store), "--python", f"{target}/bin/python", "install", "--no-index"]
        files = [f"{SHOWN}/{name}" for name in names]
        steps = [
            ["python3", "-m", "venv", "--without-pip", target],
            [*install, "--no-deps", "--no-compile", *files],
            [*COMPILE, f"{target}/lib"],
            ["sh", "-c", f"rm -f {target}/bin/[Aa]ctivate*"],
        ]
        for step in steps:
            chroot.run(folder, *step)
        archive.compressed(folder / "venv.tar.gz", folder / f"upper{target}", "venv", last=False)
        for name in ("work", "root"):
            shutil.rmtree(folder / name)

    return cache.part("dependencies", cache.key_of(names, release.number, place()), build)


def _install_suite(folder: Path, suite: Path, release: Release, layers: list[Path]) -> None:
    """Unpack the project's wheel on top; compile and import it in the throw-away copy of a bare host.

    It is pure Python without scripts, for which unpacking is installing (binary distribution format).
    """
    packages = f"{place()}/venv/lib/python{release.python}/site-packages"
    with zipfile.ZipFile(suite) as wheel:
        wheel.extractall(folder / f"upper{packages}")
    python = f"{place()}/venv/bin/python"
    compiling = shlex.join([python, *COMPILE[1:], f"{packages}/services", f"{packages}/portal"])
    script = f"{compiling} && exec {python} -B -c {shlex.quote(PROOF)}"
    Chroot(layers, environment=REPEATABLE).run(folder, "sh", "-c", script)


PROOF = """
import importlib, importlib.metadata, pkgutil, re
for wanted in importlib.metadata.requires("dss"):
    if "extra ==" not in wanted:
        importlib.metadata.version(re.match(r"[\\w.-]+", wanted)[0])
import aiohttp, alembic, argon2, av, cryptography.x509, dbus_fast.aio, flask, gunicorn.app.base, jinja2, nats
import psutil, pymysql, redis, sqlalchemy, uvloop
import services.runtime
for module in pkgutil.iter_modules(services.runtime.__path__):
    importlib.import_module(f"services.runtime.{module.name}")
av.CodecContext.create("h264", "r")
"""
