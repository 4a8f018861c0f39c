"""Every failure as a page that says what happened, why, what to do, and a code to quote."""

import logging

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException

from services.runtime.errors import Problem
from services.smc import store

log = logging.getLogger(__name__)

BY_STATUS = {
    400: (
        "The request could not be read.",
        "A part of it is missing or malformed.",
        "Go back and try again.",
    ),
    404: (
        "There is no such page.",
        "The address is misspelt, or what it showed was removed.",
        "Choose a page from the list.",
    ),
    405: (
        "This address does not do that.",
        "The method is not allowed here.",
        "Go back and use the buttons of the page.",
    ),
    413: (
        "That is too much at once.",
        "The request is larger than the portal accepts.",
        "Send less in one step.",
    ),
}
UNEXPECTED = (
    "The portal made a mistake.",
    "The cause stands in the log of this server.",
    "Try again. If it happens again, send the code below with the output of `dss logs smc`.",
)


def _wants_json() -> bool:
    return request.path.startswith(("/api/", "/cluster/")) or (
        request.accept_mimetypes.best == "application/json" and not request.headers.get("HX-Request")
    )


def show(problem: Problem) -> Response:
    """The answer for `problem` in the form the caller can use: JSON, a fragment, or a page."""
    if _wants_json():
        response = jsonify(problem.as_dict())
        response.content_type = "application/problem+json"
    elif request.headers.get("HX-Request"):
        response = make_response(render_template("shell/problem_part.html", problem=problem))
    else:
        frame = "shell/problem.html" if g.get("account") else "shell/problem_alone.html"
        response = make_response(render_template(frame, problem=problem))
    response.status_code = problem.status
    return response


def _on_problem(problem: Problem) -> ResponseReturnValue:
    if problem.status >= 500:
        log.error("%s: %s", problem.code, problem)
    return show(problem)


def _on_http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    status = error.code or 500
    what, why, remedy = BY_STATUS.get(status, (f"{error.name}.", "", "Go back and try again."))
    response = show(Problem(f"http-{status}", what, why, remedy, status))
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _on_database(error: OperationalError | InterfaceError | TimeoutError) -> ResponseReturnValue:
    if isinstance(error, TimeoutError) or store.code(error) in store.AWAY or error.connection_invalidated:
        return _on_problem(store.away())
    return _on_anything(error)


def _on_anything(error: Exception) -> ResponseReturnValue:
    log.error("unexpected error at %s", request.path, exc_info=error)
    return show(Problem("unexpected", *UNEXPECTED, status=500))


def install(app: Flask) -> None:
    """Errors of `app` become answers of this kind."""
    app.register_error_handler(Problem, _on_problem)
    app.register_error_handler(HTTPException, _on_http)
    for kind in (OperationalError, InterfaceError, TimeoutError):
        app.register_error_handler(kind, _on_database)
    app.register_error_handler(Exception, _on_anything)
