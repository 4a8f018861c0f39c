"""Pages and orders about settings that change at run time."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.changes.follows import follows
from portal.tasks import changing
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import changes, drift, nodes, ports

blueprint = Blueprint("changes", __name__)
SWITCH = {"on": True, "off": False}


@blueprint.get("/settings")
def first() -> ResponseReturnValue:
    """The settings of the server that the portal runs on."""
    return redirect(url_for("changes.page", node=config.load_node().name))


@blueprint.get("/settings/<node>")
def page(node: str) -> ResponseReturnValue:
    """Addresses and TLS of one server, and its last changes."""
    return render_template("changes/page.html", **_settings(node))


@blueprint.post("/settings/<node>/<kind>")
def order(node: str, kind: str) -> ResponseReturnValue:
    """Change an address or the TLS 1.0 switch."""
    text = request.form.get("value", "").strip()
    values: dict[str, Any] = {"mapping_ip": text or None, "address": text, "tls10": SWITCH.get(text, text)}
    if kind not in values:
        raise Problem("setting-unknown", "Nothing was changed.", f"There is no setting {kind!r}.",
                      "Use the forms of the page.", 404)  # fmt: skip
    try:
        changing.order(work.session(), node, {kind: values[kind]}, guard.account())
    except Problem as problem:
        page = render_template(
            "changes/page.html", **_settings(node) | {"wrong": {kind: problem}, "typed": text}
        )
        return page, problem.status
    return redirect(url_for("changes.page", node=node), code=303)


@blueprint.get("/services/<node>/<service>/ports")
def numbers(node: str, service: str) -> ResponseReturnValue:
    """The port numbers of one service, to be changed, and what follows."""
    return render_template("changes/ports.html", **_numbers(node, service))


@blueprint.post("/services/<node>/<service>/ports")
def renumber(node: str, service: str) -> ResponseReturnValue:
    """Change port numbers of one service."""
    shown = _numbers(node, service)
    typed = {row["name"]: request.form.get(row["name"], "").strip() for row in shown["rows"]}
    try:
        asked = {"ports": _new_numbers(service, shown["rows"], typed)}
        made = changing.order(work.session(), node, asked, guard.account())
    except Problem as problem:
        return render_template("changes/ports.html", **shown, typed=typed, problem=problem), problem.status
    moved = made.request["ports"].get("nginx.https")
    if moved and node == config.load_node().name:
        # A form may not lead to another origin, and another port is one: the person follows a link.
        name = guard.host()
        host = f"[{name}]" if ":" in name else name
        return render_template("changes/moved.html", there=f"https://{host}:{moved}/settings/{node}")
    return redirect(url_for("manager.page", node=node), code=303)


@blueprint.post("/changes/<node>/<id>/<word>")
def answer(node: str, id: str, word: str) -> ResponseReturnValue:
    """Keep a change, or undo it now."""
    if word not in {"confirm", "undo"}:
        raise Problem("answer-unknown", "Nothing was changed.", "A change is confirmed or undone.",
                      "Use the buttons.", 404)  # fmt: skip
    changes.answer(work.session(), node, id, word, guard.account())
    return redirect(url_for("changes.page", node=node), code=303)


def _settings(name: str) -> dict[str, Any]:
    session = work.session()
    node, tabs = nodes.get(session, name), nodes.listing(session)
    try:
        found, differing, problem = changes.listing(session, name), drift.listing(session, name), None
    except Problem as trouble:
        found, differing, problem = [], [], trouble
    known = {"changes": found, "drift": differing, "problem": problem}
    return {"node": node, "tabs": tabs, "wrong": {}, "typed": "", **known}


def _numbers(name: str, service: str) -> dict[str, Any]:
    session = work.session()
    node = nodes.get(session, name)
    # A port on several networks has several rows, and one number.
    found = {
        row["name"]: row
        for row in ports.of_node(session, name).rows
        if row["service"] == service and row["direction"] == "in" and row["status"] == "built"
    }
    rows = list(found.values())
    if not rows or service == "ssh":
        raise Problem("ports-none", "There is no port to change.", f"{service} has none on {name}.",
                      "Look at the port matrix.", 404)  # fmt: skip
    return {"node": node, "service": service, "rows": rows, "follows": follows(node, service, rows)}


def _new_numbers(service: str, rows: list[dict[str, Any]], typed: dict[str, str]) -> dict[str, int]:
    found = {}
    for row in rows:
        text = typed[row["name"]]
        if not (text.isascii() and text.isdigit() and len(text) <= 5):
            raise Problem("port-number", "Nothing was changed.", f"{text!r} is no port number.",
                          "Type a number from 1024 to 65535.", 422)  # fmt: skip
        if int(text) != row["port"]:
            found[f"{service}.{row['name']}"] = int(text)
    if not found:
        raise Problem("change-nothing", "Nothing was changed.", "All numbers are as before.",
                      "Type another number, or cancel.", 422)  # fmt: skip
    return found
