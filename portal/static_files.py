"""Addresses of the portal's own files and of the web assets, with a mark that changes when the file does."""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, send_from_directory, url_for

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


def _asset(name: str) -> Response:
    return send_from_directory(current_app.config["ASSETS"], name)


def install(app: Flask) -> None:
    """Templates get `static_url` and `asset_url`; with ASSETS set it serves /assets/ (not on nodes)."""
    app.add_template_global(static_url)
    app.add_template_global(asset_url)
    if app.config["ASSETS"]:
        app.add_url_rule("/assets/<path:name>", endpoint="assets", view_func=_asset)
