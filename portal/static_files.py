"""Addresses of the portal's own files and of the web assets, with a mark that changes when the file does."""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, current_app, url_for

OWN = Path(__file__).parent / "static"


@lru_cache(maxsize=64)
def _mark(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Address of a file in portal/static."""
    return url_for("static", filename=name, v=_mark(OWN / name))


def asset_url(name: str) -> str:
    """Address of a web asset; the release stands for its content, as every release brings its own files."""
    return f"/assets/{name}?v={current_app.config['VERSION']}"


def install(app: Flask) -> None:
    """Templates get `static_url` and `asset_url`; nginx serves /assets/ from the release."""
    app.add_template_global(static_url)
    app.add_template_global(asset_url)
