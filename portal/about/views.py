"""The about page and the health answer."""

from flask import Blueprint, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue

from portal.about.checks import check
from services.runtime import config

blueprint = Blueprint("about", __name__)


@blueprint.get("/about")
def page() -> ResponseReturnValue:
    """Version, this portal's health, and every service of the product."""
    node = current_app.config["NODE"]
    return render_template(
        "about/page.html", node=node, health=check().as_dict(), catalog=config.load_catalog()
    )


@blueprint.get("/health")
def health() -> ResponseReturnValue:
    """{"status", "checks"}; 503 while the portal cannot work. Open: it tells nothing about the site."""
    found = check().as_dict()
    return jsonify(found), 200 if found["status"] == "ok" else 503
