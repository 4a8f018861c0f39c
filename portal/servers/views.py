"""Servers: what they are, how they do, and whether they may work."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from services.runtime.errors import Problem
from services.smc import devices, nodes

blueprint = Blueprint("servers", __name__)
TOKEN_VALID = timedelta(hours=24)


@blueprint.get("/servers")
def page() -> ResponseReturnValue:
    """All servers, those that wait first."""
    return render_template("servers/page.html", **_listing())


@blueprint.get("/servers/table")
def table() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("servers/table.html", **_listing())


@blueprint.get("/servers/<name>")
def card(name: str) -> ResponseReturnValue:
    """One server with its figures."""
    return render_template("servers/card.html", **_card(name))


@blueprint.get("/servers/<name>/figures")
def figures(name: str) -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("servers/figures.html", **_card(name))


@blueprint.post("/servers/<name>/enable")
def enable(name: str) -> ResponseReturnValue:
    """Let a server work."""
    guard.account().need("nodes.manage")
    nodes.enable(work.session(), name, guard.account())
    return redirect(url_for("servers.page"), code=303)


@blueprint.post("/servers/<name>/disable")
def disable(name: str) -> ResponseReturnValue:
    """Take a server out of work; its name must be typed."""
    guard.account().need("nodes.manage")
    if request.form.get("confirm", "").strip() != name:
        raise Problem(
            "not-confirmed", "Nothing was changed.", f"To disable {name}, its name must be typed.",
            "Type the name of the server and try again.", status=422,
        )  # fmt: skip
    nodes.disable(work.session(), name, guard.account())
    return redirect(url_for("servers.card", name=name), code=303)


@blueprint.post("/servers/token")
def token() -> ResponseReturnValue:
    """Make a one-time join token and show it this once."""
    guard.account().need("nodes.manage")
    name = request.form.get("name", "").strip()
    try:
        made = nodes.add_token(work.session(), name, TOKEN_VALID, guard.account())
    except Problem as problem:
        return render_template(
            "servers/page.html", **_listing(), problem=problem, wanted=name
        ), problem.status
    return render_template("servers/page.html", **_listing(), made=made)


def _listing() -> dict[str, Any]:
    found = nodes.listing(work.session())
    return {
        "waiting": [node for node in found if node.state == "waiting"],
        "nodes": [node for node in found if node.state != "waiting"],
    }


def _card(name: str) -> dict[str, Any]:
    session = work.session()
    return {"node": nodes.get(session, name), "devices": devices.listing(session, name)}
