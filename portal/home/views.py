"""The home page and the part of it that refreshes itself."""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal import guard
from portal.home.totals import totals
from portal.shell.views import site, to_look_at

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def page() -> ResponseReturnValue:
    """Tiles, what needs a person, and one line per server."""
    return render_template("home/page.html", **_figures())


@blueprint.get("/home/figures")
def figures() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("home/figures.html", **_figures())


def _figures() -> dict[str, Any]:
    guard.account().need("nodes.view")
    found = site()
    return {"totals": totals(found.nodes, found.graph), "items": to_look_at(), "nodes": found.nodes}
