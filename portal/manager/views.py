"""Pages and orders of the service manager."""

import time
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.manager.rows import Gate, table
from portal.shell.names import service_code
from portal.tasks import recent
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import manager, nodes

blueprint = Blueprint("manager", __name__)
ALL = "all"
LINES = 50
DOING = {"start": "Start", "stop": "Stop", "restart": "Restart"}


@blueprint.app_context_processor
def _gate() -> dict[str, Any]:
    return {"gate": Gate()}


@blueprint.get("/services")
def first() -> ResponseReturnValue:
    """The services of the server that the portal runs on."""
    return redirect(url_for("manager.page", node=config.load_node().name))


@blueprint.get("/services/<node>")
def page(node: str) -> ResponseReturnValue:
    """All services of one server."""
    return render_template("manager/page.html", **_state(node), tabs=nodes.listing(work.session()))


@blueprint.get("/services/<node>/table")
def refresh(node: str) -> ResponseReturnValue:
    """The same, without the frame; `log` names the service whose last lines are shown."""
    return render_template("manager/table.html", **_state(node))


@blueprint.post("/services/<node>/<service>/<verb>")
def order(node: str, service: str, verb: str) -> ResponseReturnValue:
    """Start, stop or restart one service, or all after the server's name was typed."""
    if service == ALL and request.form.get("confirm", "").strip() != node:
        raise Problem(
            "not-confirmed", "Nothing was changed.", f"For all services of {node}, its name must be typed.",
            "Type the name of the server and try again.", status=422,
        )  # fmt: skip
    account = guard.account()
    task = manager.act(work.session(), node, service, verb, account)
    label = f"{DOING[verb]} {'all services' if service == ALL else service_code(service)} on {node}"
    recent.remember(recent.Order(node, task, label, account.name, time.time()))
    return redirect(url_for("manager.page", node=node), code=303)


def _state(name: str) -> dict[str, Any]:
    session = work.session()
    node = nodes.get(session, name)
    log = request.args.get("log", "")
    found = table(session, node)
    lines = _log(node, log) if any(row.id == log for row in found.rows) else None
    return {"node": node, "table": found, "log": log, "lines": lines}


def _log(node: nodes.Node, service: str) -> list[str]:
    if node.reach == "unreachable":
        return [f"{node.name} does not report; its log cannot be read from here."]
    try:
        return manager.logs(work.session(), node.name, service, LINES)
    except Problem as problem:
        return [str(problem)]
