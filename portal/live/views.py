"""The wall of live pictures, the layouts kept of it, and the permission each picture is opened with."""

from dataclasses import asdict

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.live import wall
from services.smc import devices, layouts, live, ptz, talk
from services.smc.api import control, schema

blueprint = Blueprint("live", __name__)


@blueprint.get("/live")
def page() -> ResponseReturnValue:
    """The wall that the address says (`portal.live.wall`), with the cameras to choose from."""
    if "layout" in request.args and not {"c", "size"} & request.args.keys():
        layouts.get(work.session(), request.args["layout"], guard.account())
    kept = layouts.listing(work.session(), guard.account())
    found = [one for one in devices.listing(work.session()) if one.carries_pictures]
    shown = wall.read(request.args, kept, found)
    return render_template(
        "live/page.html", devices=found, wall=shown, kept=kept, opened=shown.opened, changed=shown.changed,
        sizes=layouts.SIZES,
    )  # fmt: skip


@blueprint.post("/live/<channel>/open")
def open_channel(channel: str) -> ResponseReturnValue:
    """A one-time token for one picture: {"token", "expires_in", "ws", …} of `services.smc.live`."""
    stream = request.args.get("stream", "main")
    return jsonify(asdict(live.open(work.session(), channel, guard.account(), "portal", stream)))


@blueprint.post("/live/<channel>/snapshot")
def snapshot(channel: str) -> ResponseReturnValue:
    """A one-time token for one JPEG: {"token", "expires_in", "path", …} of `services.smc.live`."""
    return jsonify(asdict(live.snapshot(work.session(), channel, guard.account())))


@blueprint.post("/live/<channel>/talk")
def open_talk(channel: str) -> ResponseReturnValue:
    """A one-time token to talk to a camera: {"token", "ws", "codec", …} of `services.smc.talk`."""
    return jsonify(asdict(talk.open(work.session(), channel, guard.account())))


@blueprint.get("/live/<channel>/ptz")
def ptz_state(channel: str) -> ResponseReturnValue:
    """Where a camera looks, and its presets: `services.smc.ptz.PtzState`."""
    return jsonify(asdict(ptz.state(work.session(), channel, guard.account())))


@blueprint.post("/live/<channel>/ptz")
def ptz_order(channel: str) -> ResponseReturnValue:
    """Move a camera: JSON as of `/api/v1/channels/<id>/ptz`."""
    asked = schema.read(control.PtzOrder, request.get_json(force=True, silent=True))
    return jsonify(asdict(ptz.order(work.session(), channel, asdict(asked), guard.account())))


@blueprint.post("/live/layouts")
def save_layout() -> ResponseReturnValue:
    """Keep a wall: `name`, `size`, for each tile `c`, `first`; answers with the menu of layouts."""
    tiles = [wall.tile(text) for text in request.form.getlist("c")]
    size = request.form.get("size", 0, type=int)
    name, first = request.form.get("name", ""), "first" in request.form
    return _menu(layouts.save(work.session(), name, size, tiles, guard.account(), first).id)


@blueprint.post("/live/layouts/<id>/remove")
def remove_layout(id: str) -> ResponseReturnValue:
    """Forget a layout; answers with the menu of those that are left, `opened` being the one on the wall."""
    layouts.remove(work.session(), id, guard.account())
    return _menu(request.form.get("opened", ""))


def _menu(opened: str) -> str:
    kept = layouts.listing(work.session(), guard.account())
    shown = next((one for one in kept if one.id == opened), None)
    return render_template("live/layouts.html", kept=kept, opened=shown, changed=False)
