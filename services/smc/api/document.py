"""The description of the API itself, and the answer to addresses that are not in it."""

import json
from importlib.resources import files
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from services.runtime.errors import Problem
from services.smc.api.route import Call, blueprint, operation, show_problem

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"]


@operation("GET", "/openapi.json", answer=dict[str, Any], open=True, early=True)
def get_document(call: Call) -> dict[str, Any]:
    """This description."""
    # The written copy: a node runs without docstrings, which the summaries come from.
    written: dict[str, Any] = json.loads(files(__package__).joinpath("openapi.json").read_text())
    return written


@blueprint.route("/<path:rest>", methods=METHODS)
@blueprint.route("/", defaults={"rest": ""}, methods=METHODS)
def not_there(rest: str) -> Response:
    """404 for unknown addresses, 405 for known ones with another method, both as problems."""
    allowed = sorted(method for method in METHODS if _known(method))
    if not allowed:
        raise Problem(
            "address-unknown", "There is nothing at this address.", "The API does not have it.",
            "Look at /api/v1/openapi.json.", status=404,
        )  # fmt: skip
    answer = show_problem(
        Problem(
            "method-unknown", "The address does not know this method.", f"It knows {', '.join(allowed)}.",
            "Look at /api/v1/openapi.json.", status=405,
        )
    )  # fmt: skip
    answer.headers["Allow"] = ", ".join(allowed)
    return answer


def _known(method: str) -> bool:
    adapter = current_app.create_url_adapter(request)
    try:
        return adapter is not None and adapter.match(method=method)[0] != "api.not_there"
    except (HTTPException, RequestRedirect):
        return False
