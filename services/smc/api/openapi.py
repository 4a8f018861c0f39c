"""The OpenAPI 3.1 document of the table of operations.

`python -m services.smc.api.openapi services/smc/api/openapi.json` writes the copy that nodes serve.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from services.smc.api import schema
from services.smc.api.route import TABLE, Operation

VERSION = "1"
PROBLEM = {
    "type": "object",
    "description": "RFC 9457, with what happened, why, and what to do.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        **{key: {"type": "string"} for key in ("code", "what", "why", "remedy")},
    },
    "required": ["type", "title", "status", "detail", "code", "what", "why", "remedy"],
}
REASONS = {
    400: "The body is no JSON.",
    401: "Not logged in, or wrong name or password.",
    403: "Not allowed.",
    404: "Not there.",
    409: "Not possible in the present state; `not_initialised` before the first account exists.",
    413: "The body is too large.",
    415: "The body is no application/json.",
    422: "A field is wrong.",
    429: "Locked after too many failures.",
    500: "The deployment is incomplete: a file or a secret is missing.",
    502: "The node's answer is not usable.",
    503: "A part this needs is away.",
    504: "The node did not answer in time.",
}


def document() -> dict[str, Any]:
    """The whole document."""
    parts: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    for one in TABLE:
        paths.setdefault(path_of(one), {})[one.method.lower()] = _operation(one, parts)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DSS",
            "version": VERSION,
            "description": "Everything the portal does. Times are RFC 3339 in UTC.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {"schemas": dict(sorted(parts.items())), "securitySchemes": _schemes()},
    }


def path_of(one: Operation) -> str:
    """The path as OpenAPI writes it, with {names}."""
    return re.sub(r"<(\w+)>", r"{\1}", one.path)


def _schemes() -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token of POST /login."},
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-dss",
            "description": "The portal's session; writes also need its X-CSRF-Token header.",
        },
    }


def _operation(one: Operation, parts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": one.summary,
        "operationId": _id(one),
        "responses": _responses(one, parts),
    }
    if one.permission:
        found["description"] = f"Needs the permission `{one.permission}`."
    if one.open:
        found["security"] = []
    if parameters := _parameters(one, parts):
        found["parameters"] = parameters
    if one.body is not None:
        found["requestBody"] = {"required": True, "content": _content(schema.describe(one.body, parts))}
    return found


def _id(one: Operation) -> str:
    words = re.findall(r"[a-z]+", one.path.replace(".json", ""))
    return "_".join([one.method.lower(), *words])


def _parameters(one: Operation, parts: dict[str, Any]) -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1, "maxLength": 128}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in re.findall(r"<(\w+)>", one.path)
    ]
    if one.query is not None:
        for name, hint in schema.hints_of(one.query).items():
            found.append({"name": name, "in": "query", "schema": schema.describe(hint, parts)})
    return found


def _responses(one: Operation, parts: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if one.status != 204:
        good["content"] = _content(schema.describe(one.answer, parts))
    found = {str(one.status): good}
    for status in sorted(_problems(one)):
        ref = {"$ref": "#/components/schemas/Problem"}
        found[str(status)] = {
            "description": REASONS[status],
            "content": _content(ref, "application/problem+json"),
        }
    return found


def _problems(one: Operation) -> set[int]:
    wanted = {500, 503, 422, *one.problems}
    if not one.early:
        wanted.add(409)
    if not one.open:
        wanted |= {401, 403}
    if one.body is not None:
        wanted |= {400, 413, 415}
    if "<" in one.path:
        wanted.add(404)
    return wanted


def _content(what: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {kind: {"schema": what}}


def as_text() -> str:
    """The document as it stands in the documentation."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from services.smc import api  # noqa: F401 - fills the table

    Path(sys.argv[1]).write_text(as_text(), encoding="utf-8")
