"""The topology page and the part of it that refreshes itself."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal import work
from portal.topology.drawing import HEIGHT, WIDTH, draw
from services.smc import topology

blueprint = Blueprint("topology", __name__)


@blueprint.get("/topology")
def page() -> ResponseReturnValue:
    """The graph, or with `view=table` its twin; `node` opens the card of a server."""
    return render_template("topology/page.html", **_state())


@blueprint.get("/topology/part")
def part() -> ResponseReturnValue:
    """The same, without the frame."""
    return render_template("topology/part.html", **_state())


def _state() -> dict[str, Any]:
    graph = topology.graph(work.session())
    chosen = request.args.get("node", "")
    return {
        "graph": graph,
        "drawing": draw(graph),
        "size": (WIDTH, HEIGHT),
        "view": "table" if request.args.get("view") == "table" else "graph",
        "chosen": next((v for v in graph.vertices if v.id == chosen), None),
        "waiting": sum(v.state == "waiting" for v in graph.vertices),
    }
