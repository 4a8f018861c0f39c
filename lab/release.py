"""Another release of the product for tests: a copy of this tree with another version, and its bundle."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from lab.tools import run
from services import version

ROOT = Path(__file__).resolve().parents[1]
SPARED = shutil.ignore_patterns(".*", "dist", "__pycache__", "*.egg-info", "tests")


def make(place: Path, version: str, change: Callable[[Path], None] | None = None) -> Path:
    """Copy the tree to `place`, give it `version`, let `change` work on the copy, build its bundle there."""
    shutil.copytree(ROOT, place, ignore=SPARED, dirs_exist_ok=True)
    project = place / "pyproject.toml"
    own = next(line for line in project.read_text().splitlines() if line.startswith("version = "))
    project.write_text(project.read_text().replace(own, f'version = "{version}"', 1))
    if change:
        change(place)
    bundle(place)
    return place


def bundle(place: Path) -> None:
    """Build the bundle of a copied tree, into its own dist folder."""
    words = ["env", "-C", str(place), f"PYTHONPATH={place}", f"PATH={os.environ['PATH']}", sys.executable]
    run(*words, "-P", "-m", "services.cli", "bundle", "--release", "12")


MIGRATION = '''"""{text}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {body}
'''


def add_migration(place: Path, body: str, text: str = "A step of a test") -> None:
    """Add a step after the newest one; `body` is what its upgrade() does."""
    folder = place / "services/smc/migrations/versions"
    names = sorted(p.name for p in folder.glob("[0-9]*.py"))
    before, number = names[-1].split("_")[0], len(names) + 1
    path = folder / f"{number:04}_test.py"
    path.write_text(MIGRATION.format(text=text, revision=f"{number:04}", before=before, body=body))


def own() -> str:
    """Version of this tree."""
    return version.own()


def next_minor() -> str:
    """The release that may follow it."""
    major, minor, _ = version.parse(own())
    return f"{major}.{minor + 1}.0"
