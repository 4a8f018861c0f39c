"""One day of one channel: what is recorded, played from any moment, and clips of it."""

from dataclasses import asdict

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from services.smc import devices, recordings

blueprint = Blueprint("playback", __name__)


@blueprint.get("/playback")
def page() -> ResponseReturnValue:
    """The day view; `c` is the channel, else the first one that is recorded, of those that have pictures."""
    found = [one for one in devices.listing(work.session()) if one.carries_pictures]
    channels = [channel for device in found for channel in device.channels]
    wanted = request.args.get("c", "")
    recorded = (one for one in channels if one.record != "off")
    chosen = next((one for one in channels if one.id == wanted), None) or next(recorded, None)
    chosen = chosen or next(iter(channels), None)
    return render_template("playback/page.html", channels=channels, chosen=chosen)


@blueprint.post("/playback/<channel>/open")
def open_channel(channel: str) -> ResponseReturnValue:
    """A one-time token to see or download: `services.smc.recordings.PlaybackAnswer`."""
    return jsonify(asdict(recordings.open(work.session(), channel, guard.account(), "portal")))


@blueprint.post("/playback/<channel>/plan")
def plan(channel: str) -> ResponseReturnValue:
    """Record a channel continuously, or no longer."""
    recordings.set_plan(work.session(), channel, request.form.get("plan", ""), guard.account())
    return redirect(url_for("playback.page", c=channel), code=303)
