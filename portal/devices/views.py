"""Pages and orders about devices."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.devices.forms import DeviceForm
from portal.devices.words import word
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import devices, nodes, registrations

blueprint = Blueprint("devices", __name__)
blueprint.add_app_template_global(word, "device_word")


@blueprint.get("/devices")
def page() -> ResponseReturnValue:
    """All devices; `show=trouble` those that are not online, `node` those of one server."""
    return render_template("devices/page.html", **_listing())


@blueprint.get("/devices/table")
def table() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("devices/table.html", **_listing())


@blueprint.get("/devices/asking")
def asking() -> ResponseReturnValue:
    """Devices that ask to register and that nobody added, without the frame."""
    return render_template("devices/asking.html", asking=registrations.asking(work.session()))


@blueprint.get("/devices/add")
def add_form() -> ResponseReturnValue:
    """The empty form; `register_id` fills in one that asks to register."""
    node = request.args.get("node", config.load_node().name)
    return _form(DeviceForm.blank(node, request.args.get("register_id", "")))


@blueprint.post("/devices/add")
def add() -> ResponseReturnValue:
    """Add a device and show its card, where its check can be watched."""
    form = DeviceForm.read(request.form)
    if (new := form.new()) is not None:
        try:
            made = devices.add(work.session(), new, guard.account())
            return redirect(url_for("devices.card", id=made.id), code=303)
        except Problem as problem:
            form.take(problem)
    return _form(form), 422


@blueprint.get("/devices/<id>")
def card(id: str) -> ResponseReturnValue:
    """One device with its channels."""
    return render_template("devices/card.html", **_card(id), nodes=_enabled())


@blueprint.get("/devices/<id>/facts")
def facts(id: str) -> ResponseReturnValue:
    """Its state and channels, without the frame."""
    return render_template("devices/facts.html", **_card(id))


@blueprint.post("/devices/<id>/check")
def check(id: str) -> ResponseReturnValue:
    """Have its server check it now."""
    devices.test(work.session(), id, guard.account())
    return redirect(url_for("devices.card", id=id), code=303)


@blueprint.post("/devices/<id>/move")
def move(id: str) -> ResponseReturnValue:
    """Give it to another server."""
    devices.move(work.session(), id, request.form.get("node", ""), guard.account())
    return redirect(url_for("devices.card", id=id), code=303)


@blueprint.post("/devices/<id>/remove")
def remove(id: str) -> ResponseReturnValue:
    """Forget it with its channels."""
    devices.remove(work.session(), id, guard.account())
    return redirect(url_for("devices.page"), code=303)


def _form(form: DeviceForm) -> str:
    return render_template("devices/add.html", form=form, nodes=_enabled())


def _enabled() -> list[nodes.Node]:
    return [node for node in nodes.listing(work.session()) if node.state == "enabled"]


def _card(id: str) -> dict[str, Any]:
    return {"device": devices.get(work.session(), id)}


def _listing() -> dict[str, Any]:
    every = devices.listing(work.session(), request.args.get("node") or None)
    trouble = request.args.get("show") == "trouble"
    online = sum(one.state == "online" for one in every)
    shown = [one for one in every if not trouble or one.state != "online"]
    return {"devices": shown, "online": online, "total": len(every), "trouble": trouble}
