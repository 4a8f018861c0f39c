"""The list of exports, its part that refreshes itself, and what is ordered there or from the day view."""

from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from services.smc import devices, export_downloads, exports

blueprint = Blueprint("exports", __name__)


@blueprint.get("/exports")
def page() -> ResponseReturnValue:
    """All exports, newest first, and the dialog to order one."""
    return render_template("exports/page.html", channels=devices.pictures(work.session()), **_state())


@blueprint.get("/exports/table")
def table() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("exports/table.html", **_state())


@blueprint.post("/exports")
def order() -> ResponseReturnValue:
    """Order an export: for each channel `c`, `start` and `end` (milliseconds since 1970), `format`."""
    form = request.form
    start, end = (form.get(key, -1, type=int) for key in ("start", "end"))
    exports.order(work.session(), form.getlist("c"), start, end, form.get("format", "mp4"), guard.account())
    return jsonify(href=url_for("exports.page"))


@blueprint.post("/exports/<id>/cancel")
def cancel(id: str) -> ResponseReturnValue:
    """Stop one."""
    exports.cancel(work.session(), id, guard.account())
    return redirect(url_for("exports.page"), code=303)


@blueprint.post("/exports/<id>/remove")
def remove(id: str) -> ResponseReturnValue:
    """Delete one with its results."""
    exports.remove(work.session(), id, guard.account())
    return redirect(url_for("exports.page"), code=303)


@blueprint.post("/exports/<id>/download", defaults={"node": None})
@blueprint.post("/exports/<id>/<node>/download")
def download(id: str, node: str | None) -> ResponseReturnValue:
    """On to the file, with a permission that is made now and works once; without a node all parts as one."""
    return redirect(export_downloads.grant(work.session(), id, guard.account(), node).path, code=303)


def _state() -> dict[str, Any]:
    return {"exports": exports.listing(work.session(), guard.account())}
