"""The strip and the chip, which refresh themselves on every page."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal import work
from portal.tasks import changing, recent
from services.smc.changes import Change

blueprint = Blueprint("tasks", __name__)


@blueprint.app_template_global()
def recent_orders() -> list[recent.Order]:
    """What the strip shows."""
    return recent.listing(work.session())


@blueprint.app_template_global()
def open_changes() -> list[Change]:
    """Changes that wait to be kept or undone."""
    return changing.listing(work.session())


@blueprint.get("/tasks/strip")
def strip() -> ResponseReturnValue:
    """The content of the strip; the chip comes along so that a page asks once for both."""
    return render_template("tasks/strip.html", with_chip=True)
