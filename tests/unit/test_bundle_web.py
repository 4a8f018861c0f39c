"""Web assets are pinned by hash and come from no named host."""

import json
from pathlib import Path

import pytest

from services.bundle import web
from services.runtime.errors import Problem


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What npm would have installed, with other content than the pinned one."""
    folder = tmp_path / "modules"
    for name in web.pins():
        path = folder / (web.SOURCES.get(name) or f"{web.ICONS}/{Path(name).name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something else")
    monkeypatch.setattr(web, "_install", lambda work: work.mkdir() or folder)
    return folder


def test_lock_names_no_registry_and_pins_every_package() -> None:
    lock = json.loads((web.HERE / "package-lock.json").read_text())
    packages = [entry for path, entry in lock["packages"].items() if path]
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages)
    assert not any("resolved" in entry for entry in packages)


def test_exact_versions_are_asked_for() -> None:
    wanted = json.loads((web.HERE / "package.json").read_text())["dependencies"]
    locked = {package["name"]: package["version"] for package in web.components()}
    assert wanted.items() <= locked.items()


def test_every_asset_has_a_sha384() -> None:
    assert set(web.SOURCES) < set(web.pins())
    assert all(value.startswith("sha384-") and len(value) == 71 for value in web.pins().values())


def test_asset_that_is_not_the_pinned_one_is_refused(modules: Path, tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        web.ensure_web(tmp_path / "cache")
    assert caught.value.code == "bundle-asset"
    assert "sha384.json" in caught.value.why
    assert not list((tmp_path / "cache/web").iterdir())


def test_unreachable_registry_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(Problem) as caught:
        web.ensure_web(tmp_path / "cache")
    assert caught.value.code == "bundle-npm"
    assert "network" in caught.value.remedy
