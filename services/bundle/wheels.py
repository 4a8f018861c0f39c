"""Python packages of a bundle: chosen and fetched by the target release's own interpreter."""

import ast
import email
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.bundle import cache
from services.bundle.archive import EPOCH
from services.bundle.chroot import Chroot
from services.bundle.releases import Release, problem

ROOT = Path(__file__).resolve().parents[2]
SHOWN = "/mnt/wheels"
SPARED = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")


@dataclass(frozen=True)
class Wheel:
    """One wheel: its name and version, the hash of its file, and its licence as it states it."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str


def project() -> dict[str, Any]:
    """The `project` table of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        table: dict[str, Any] = tomllib.load(file)["project"]
    return table


def wheelhouse(release: Release, python: list[Path], *, refresh: bool = False) -> Path:
    """The folder with a wheel of pip and of everything the suite needs at run time on this release.

    `python` are the layers that hold the release's python3. It resolves as the target would: pip on this
    machine would read environment markers for its own interpreter.
    """
    wanted = sorted(project()["dependencies"])

    def build(folder: Path) -> None:
        store = folder / "wheels"
        store.mkdir()
        run_pip("download", "--only-binary=:all:", "--dest", store, "pip")
        environment = _online(folder / "upper")
        words = ["download", "--only-binary=:all:", "--dest", SHOWN, *wanted]
        Chroot(python, {SHOWN: store}, environment, online=True).run(folder, *pip_inside(store), *words)
        discard(folder)

    return cache.part("wheels", cache.key_of(wanted, release.number), build, refresh=refresh) / "wheels"


def suite(tools: Path) -> Path:
    """The wheel of the project itself, built from the working tree without `lab`."""
    packages = [ROOT / "portal", ROOT / "services", ROOT / "templates"]
    files = [ROOT / "pyproject.toml", *(p for top in packages for p in sorted(top.rglob("*")) if _counts(p))]
    state = [(str(path.relative_to(ROOT)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]

    def build(folder: Path) -> None:
        source = folder / "source"
        for top in packages:
            shutil.copytree(top, source / top.name, ignore=SPARED)
        shutil.copy(ROOT / "pyproject.toml", source)
        (source / "README.md").write_text(project()["description"] + "\n")
        _build_wheel(source, folder, tools)
        shutil.rmtree(source)

    return next(cache.part("suite", cache.key_of(state), build, keep=8).glob("*.whl"))


def build_tools() -> Path:
    """The folder from which Python imports what `build-system` in pyproject.toml asks for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = sorted(tomllib.load(file)["build-system"]["requires"])

    def build(folder: Path) -> None:
        run_pip("install", "--only-binary=:all:", "--target", folder, *wanted)

    return cache.part("build-tools", cache.key_of(wanted), build)


def run_pip(*words: str | Path) -> None:
    """Run the controller's pip; raises Problem with its message."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, words)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise problem(
            "pip",
            f"pip {words[0]} failed.",
            f"It said: {done.stderr.strip()[-1500:]}",
            "Check this machine's network and package index setting, then run it again; nothing was changed.",
        )


def _build_wheel(source: Path, target: Path, tools: Path) -> None:
    """Call the build backend (PEP 517) directly: pip would spend seconds on an environment for it."""
    call = f"import setuptools.build_meta as backend; backend.build_wheel({str(target)!r})"
    environment = {**os.environ, "PYTHONPATH": str(tools), "SOURCE_DATE_EPOCH": str(EPOCH)}
    words = [sys.executable, "-c", call]
    done = subprocess.run(words, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise problem(
            "wheel",
            "The project's own wheel could not be built.",
            f"setuptools said: {done.stderr.strip()[-1500:]}",
            "Correct pyproject.toml or the source and run it again; nothing was changed.",
        )


def pip_inside(wheels: Path) -> list[str]:
    """The words that run pip from its own wheel inside a chroot that shows `wheels`: nothing is installed."""
    pip = next(wheels.glob("pip-*.whl")).name
    return ["python3", f"{SHOWN}/{pip}/pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]


def discard(scratch: Path) -> None:
    """Remove what a chroot left behind in its scratch folder."""
    for name in ("upper", "work", "root"):
        shutil.rmtree(scratch / name, ignore_errors=True)


def _online(upper: Path) -> dict[str, str]:
    """Let pip inside a chroot reach what pip reaches here; returns its environment."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    environment = {name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy")}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2].replace("-", "_").upper()
        environment[f"PIP_{option}"] = str(ast.literal_eval(value))
    certificates = [environment.get("PIP_CERT"), os.environ.get("SSL_CERT_FILE")]
    for file in ["/etc/resolv.conf", "/etc/hosts", *filter(None, certificates)]:
        inside = upper / file.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, inside)
    return environment


def _counts(path: Path) -> bool:
    return path.is_file() and not any(
        part == "__pycache__" or part.startswith(".") or part.endswith(".egg-info")
        for part in path.relative_to(ROOT).parts
    )


def describe(wheel: Path) -> Wheel:
    """What the metadata of a wheel says (Core metadata specifications)."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
        fields = email.message_from_bytes(archive.read(name))
    classifiers = [
        c.split(" :: ")[-1] for c in fields.get_all("Classifier", []) if c.startswith("License ::")
    ]
    stated = fields.get("License-Expression") or " AND ".join(classifiers) or fields.get("License") or ""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Wheel(fields["Name"], fields["Version"], wheel.name, digest, stated.strip().split("\n")[0][:80])
