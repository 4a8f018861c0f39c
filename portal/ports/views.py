"""The port matrix page: filters, CSV, what else listens, and what main reaches over the network."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from portal import work
from services.smc import ports
from services.smc.ports import NodePorts

blueprint = Blueprint("ports", __name__)
COLUMNS = (
    "host",
    "role",
    "service",
    "name",
    "port",
    "protocol",
    "direction",
    "from",
    "to",
    "purpose",
    "tls",
    "zone",
    "must_map",
    "status",
    "network",
    "address",
    "listening",
)
SHOWS = ("all", "map", "in", "out", "trouble")


@dataclass(frozen=True)
class Filter:
    """What of the matrix is asked for: one server or all (""), and which rows."""

    node: str
    show: str

    @classmethod
    def read(cls) -> "Filter":
        """From the address; what is unknown counts as all."""
        show = request.args.get("show", "all")
        return cls(request.args.get("node", ""), show if show in SHOWS else "all")

    def takes(self, row: dict[str, Any]) -> bool:
        """Whether the row belongs to what is asked for."""
        return {
            "all": True,
            "map": bool(row.get("must_map")),
            "in": row.get("direction") == "in",
            "out": row.get("direction") == "out",
            "trouble": is_trouble(row),
        }[self.show]


def is_trouble(row: dict[str, Any]) -> bool:
    """Whether a port that should listen does not."""
    return row.get("direction") == "in" and row.get("status") == "built" and row.get("listening") is False


@blueprint.get("/ports")
def page() -> ResponseReturnValue:
    """All rows of all servers, asked now."""
    chosen, matrix = Filter.read(), ports.matrix(work.session())
    rows, tries = _rows(matrix, chosen), request.args.get("reach") == "1"
    found = ports.tried(work.session(), matrix) if tries else []
    reached = {(r.node, r.service, r.name): r for r in found} if tries else None
    troubles = sum(is_trouble(row) for one in matrix for row in one.rows)
    unlisted = [one for one in matrix if one.unlisted and chosen.node in {"", one.node}]
    return render_template(
        "ports/page.html", matrix=matrix, rows=rows, chosen=chosen, troubles=troubles, reached=reached,
        unlisted=unlisted, untold=[one.node for one in matrix if one.unlisted is None],
    )  # fmt: skip


@blueprint.get("/ports.csv")
def as_csv() -> ResponseReturnValue:
    """The rows of the same filter as CSV (RFC 4180)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(_rows(ports.matrix(work.session()), Filter.read()))
    headers = {"Content-Disposition": 'attachment; filename="port-matrix.csv"'}
    return Response(text.getvalue(), mimetype="text/csv", headers=headers)


def _rows(matrix: list[NodePorts], chosen: Filter) -> list[dict[str, Any]]:
    wanted = [one for one in matrix if chosen.node in {"", one.node}]
    return [{**row, "host": one.node} for one in wanted for row in one.rows if chosen.takes(row)]
