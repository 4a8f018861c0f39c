"""The list of tasks, the page of one with its log, and the strip and chip of every page."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal import work
from portal.tasks import changing, recent
from services.smc import tasks
from services.smc.changes import Change
from services.smc.tasks import TaskRecord

blueprint = Blueprint("tasks", __name__)
SHOWS, KINDS = ("all", "open", "failed"), ("", "service", "change", "backup", "release")
MOST = 200


@dataclass(frozen=True)
class Filter:
    """Which tasks are asked for: all, open or failed ones, of one kind or of any ("")."""

    show: str
    kind: str

    @classmethod
    def read(cls) -> "Filter":
        """From the address; what is unknown counts as all."""
        show, kind = request.args.get("show", "all"), request.args.get("kind", "")
        return cls(show if show in SHOWS else "all", kind if kind in KINDS else "")

    def takes(self, one: TaskRecord) -> bool:
        """Whether a task belongs to what is asked for."""
        fits = {"all": True, "open": one.open, "failed": one.state in {"failed", "undone", "refused"}}
        return fits[self.show] and self.kind in {"", one.kind}


@blueprint.app_template_global()
def recent_orders() -> list[recent.Order]:
    """What the strip shows."""
    return recent.listing(work.session())


@blueprint.app_template_global()
def open_changes() -> list[Change]:
    """Changes that wait to be kept or undone."""
    return changing.listing(work.session())


@blueprint.app_template_global()
def took(task: TaskRecord) -> float:
    """Seconds from the beginning of a task to its end, or until now."""
    return ((task.ended or datetime.now(UTC)) - task.began).total_seconds()


@blueprint.get("/tasks")
def page() -> ResponseReturnValue:
    """All tasks, newest first."""
    return render_template("tasks/page.html", **_found())


@blueprint.get("/tasks/table")
def table() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("tasks/table.html", **_found())


@blueprint.get("/tasks/strip")
def strip() -> ResponseReturnValue:
    """The content of the strip; the chip comes along so that a page asks once for both."""
    return render_template("tasks/strip.html", with_chip=True)


@blueprint.get("/tasks/<node>/<kind>/<id>")
def show(node: str, kind: str, id: str) -> ResponseReturnValue:
    """One task with its log."""
    return render_template("tasks/task.html", task=tasks.get(work.session(), node, kind, id))


@blueprint.get("/tasks/<node>/<kind>/<id>/part")
def part(node: str, kind: str, id: str) -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("tasks/part.html", task=tasks.get(work.session(), node, kind, id))


def _found() -> dict[str, Any]:
    chosen, history = Filter.read(), tasks.listing(work.session())
    shown = [one for one in history.tasks if chosen.takes(one)][:MOST]
    return {"tasks": shown, "problems": history.problems, "chosen": chosen}
