"""Modules of the playbooks as Python modules, and a folder that stands for the root of a node."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from services.node import tree

ROOT = Path(__file__).resolve().parents[2]


def module(name: str) -> ModuleType:
    """A file of playbooks/library, imported."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "playbooks" / "library" / f"{name}.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="session")
def dss_tree() -> ModuleType:
    """What the module does; the module itself only hands its arguments on."""
    return tree


@pytest.fixture(scope="session")
def dss_bundle() -> ModuleType:
    return module("dss_bundle")


@pytest.fixture(scope="session")
def dss_preflight() -> ModuleType:
    return module("dss_preflight")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The root of a node that has one credential."""
    folder = tmp_path / "etc" / "dss" / "credentials"
    folder.mkdir(parents=True)
    (folder / "redis").write_text("hidden-word\n")
    return tmp_path
