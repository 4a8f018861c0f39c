"""One table of operations: each is a Flask route and an entry of the OpenAPI document."""

import dataclasses
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import accounts, sessions, store
from services.smc.accounts import Account
from services.smc.api import schema

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
LARGEST_BODY = 64 * 1024
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """What a route takes and gives; `permission` None with `open` False: any account."""

    method: str
    path: str
    summary: str
    answer: Any
    body: Any
    query: Any
    permission: str | None
    open: bool
    early: bool
    status: int
    problems: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One request, checked: `account` is set unless the operation is open."""

    session: Session
    body: Any
    query: Any
    source: str
    token: str | None
    login: Account | None

    @property
    def account(self) -> Account:
        """Who calls."""
        if self.login is None:
            raise AssertionError("an open operation asked for its account")
        return self.login


TABLE: list[Operation] = []


def operation(
    method: str,
    path: str,
    *,
    answer: Any = None,  # noqa: ANN401 - a type hint
    body: Any = None,  # noqa: ANN401
    query: Any = None,  # noqa: ANN401
    permission: str | None = None,
    open: bool = False,
    early: bool = False,
    status: int = 200,
    problems: tuple[int, ...] = (),
) -> Callable[[F], F]:
    """Put `function(call, **path_parts)` into the table; the summary is its docstring's first line.

    `open`: without login; `early`: before initialisation too; `problems`: further statuses it may give.
    """

    def register(function: F) -> F:
        summary = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")
        one = Operation(method, path, summary, answer, body, query, permission, open, early, status, problems)
        TABLE.append(one)
        blueprint.add_url_rule(path, function.__name__, _view(one, function), methods=[method])
        return function

    return register


def _view(one: Operation, function: Callable[..., Any]) -> Callable[..., Response]:
    def view(**parts: str) -> Response:
        with store.session() as session:
            return _answer(one, function(_call(one, session), **parts))

    return view


def _call(one: Operation, session: Session) -> Call:
    if not one.early:
        accounts.need_initialised(session)
    source, given = request.remote_addr or "unknown", bearer()
    token = given or request.cookies.get(sessions.COOKIE)
    login = None if one.open else accounts.account_of(session, token, source)
    if login and not given:
        _check_csrf(token)
    if login and one.permission:
        login.need(one.permission)
    return Call(session, _body(one), _query(one), source, token, login)


def bearer() -> str | None:
    """The token of `Authorization: Bearer`, if there is one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _check_csrf(token: str | None) -> None:
    if request.method not in WRITES:
        return
    wanted = sessions.needed(token).csrf
    if not hmac.compare_digest(request.headers.get("X-CSRF-Token", "").encode(), wanted.encode()):
        raise Problem(
            "csrf-token",
            "Nothing was changed.",
            "A write by cookie must carry the session's X-CSRF-Token header.",
            "Send it, or use a Bearer token.",
            status=403,
        )


def _body(one: Operation) -> Any:  # noqa: ANN401 - whatever the operation's body hint says
    if one.body is None:
        return None
    request.max_content_length = LARGEST_BODY
    if request.mimetype != "application/json":
        raise Problem(
            "media-type",
            "The request cannot be understood.",
            "Its Content-Type is not application/json.",
            "Send JSON.",
            status=415,
        )
    try:
        data = json.loads(request.get_data(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(
            "json-wrong",
            "The request cannot be understood.",
            "Its body is not JSON (RFC 8259).",
            "Correct it and try again.",
            status=400,
        ) from error
    return schema.read(one.body, data)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _query(one: Operation) -> Any:  # noqa: ANN401
    if one.query is None:
        given: dict[str, Any] = {}
    else:
        hints = schema.hints_of(one.query)
        given = {key: _number(hints.get(key), values) for key, values in request.args.lists()}
        return schema.read(one.query, given, "query")
    for name in request.args:
        schema.read(_Nothing, {name: 1}, "query")
    return None


@dataclass(frozen=True)
class _Nothing:
    """A query without parts."""


def _number(hint: Any, values: list[str]) -> Any:  # noqa: ANN401
    text = values[0] if len(values) == 1 else None
    if text is not None and "int" in str(hint) and text.isascii() and text.lstrip("-").isdigit():
        return int(text[:20])
    return text


def _answer(one: Operation, result: Any) -> Response:  # noqa: ANN401
    if one.status == 204:
        return Response(status=204)
    return json_response(result, one.status)


def json_response(data: Any, status: int = 200, kind: str = "application/json") -> Response:  # noqa: ANN401
    """Compact JSON that no cache keeps; dataclasses become objects, times RFC 3339."""
    text = json.dumps(plain(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text, status, {"Cache-Control": "no-store"}, content_type=kind)


def plain(data: Any) -> Any:  # noqa: ANN401
    """Dataclasses and times as what JSON knows."""
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {f.name: plain(getattr(data, f.name)) for f in dataclasses.fields(data)}
    if isinstance(data, datetime):
        return clock.iso(data)
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(one) for one in data]
    return data


@blueprint.errorhandler(Problem)
def show_problem(problem: Problem) -> Response:
    """RFC 9457."""
    answer = json_response(problem.as_dict(), problem.status, "application/problem+json")
    if problem.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


@blueprint.errorhandler(HTTPException)
def show_refusal(error: HTTPException) -> Response:
    """What Flask refuses by itself, such as a body that is too large, in the same form."""
    code = (error.name or "refused").lower().replace(" ", "-")
    why = error.description or "The request breaks a rule of HTTP."
    status = error.code or 500
    return show_problem(Problem(code, "The request was refused.", why, "Correct it and try again.", status))
