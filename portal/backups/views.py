"""The page of backups, its part that refreshes itself, and the order to make one."""

import time
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.tasks import recent
from services.smc import backups

blueprint = Blueprint("backups", __name__)


@blueprint.get("/backups")
def page() -> ResponseReturnValue:
    """All servers, asked now."""
    return render_template("backups/page.html", **_state())


@blueprint.get("/backups/table")
def table() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("backups/table.html", **_state())


@blueprint.post("/backups/<node>")
def make(node: str) -> ResponseReturnValue:
    """Make a backup now; its page shows how it goes."""
    account = guard.account()
    id = backups.make(work.session(), node, account)
    recent.remember(recent.Order(node, id, f"Backup of {node}", account.name, time.time(), kind="backup"))
    return redirect(url_for("tasks.show", node=node, kind="backup", id=id), code=303)


def _state() -> dict[str, Any]:
    may = backups.PERMISSION in guard.account().permissions
    return {"servers": backups.listing(work.session()), "may": may}
