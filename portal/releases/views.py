"""The page of releases."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal import work
from services.smc import releases

blueprint = Blueprint("releases", __name__)


@blueprint.get("/releases")
def page() -> ResponseReturnValue:
    """All servers, asked now."""
    found = releases.listing(work.session())
    active = sorted({one.active.version for one in found if one.active})
    back = sorted({r.version for one in found for r in one.releases if r.previous and r.returnable})
    return render_template("releases/page.html", servers=found, active=active, back=back)
