"""Recordings of up to nine channels on one playhead, their bookmarks, the permission to look and download."""

from dataclasses import asdict

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.playback import desk
from services.smc import bookmarks, devices, recordings

blueprint = Blueprint("playback", __name__)


@blueprint.get("/playback")
def page() -> ResponseReturnValue:
    """What the address names (`portal.playback.desk`); the page's scripts read `at`, the moment of it."""
    channels = devices.pictures(work.session())
    return render_template(
        "playback/page.html", channels=channels, desk=desk.read(request.args, channels), sizes=desk.SIZES
    )


@blueprint.post("/playback/<channel>/open")
def open_channel(channel: str) -> ResponseReturnValue:
    """A one-time token to see or download: `services.smc.recordings.PlaybackAnswer`."""
    return jsonify(asdict(recordings.open(work.session(), channel, guard.account(), "portal")))


@blueprint.post("/playback/<channel>/plan")
def plan(channel: str) -> ResponseReturnValue:
    """Record a channel continuously, or no longer."""
    recordings.set_plan(work.session(), channel, request.form.get("plan", ""), guard.account())
    return redirect(url_for("playback.page", c=channel), code=303)


@blueprint.get("/playback/bookmarks")
def list_bookmarks() -> ResponseReturnValue:
    """Those of the channels `c`, by moment: a list of `services.smc.bookmarks.Bookmark`."""
    found = bookmarks.listing(work.session(), request.args.getlist("c"), guard.account())
    return jsonify([asdict(one) for one in found])


@blueprint.post("/playback/bookmarks")
def add_bookmark() -> ResponseReturnValue:
    """Keep a moment: `channel`, `at` (milliseconds since 1970), `name`."""
    form = request.form
    made = bookmarks.add(work.session(), form.get("channel", ""), form.get("at", -1, type=int),
                         form.get("name", ""), guard.account())  # fmt: skip
    return jsonify(asdict(made))


@blueprint.post("/playback/bookmarks/<id>/remove")
def remove_bookmark(id: str) -> ResponseReturnValue:
    """Forget a bookmark."""
    bookmarks.remove(work.session(), id, guard.account())
    return "", 204
