"""From type hints to JSON Schema (2020-12) and to strict reading: what is not described is refused."""

import re
import types
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from services.runtime.errors import Problem

Json = dict[str, Any]
MOST_KEYS = 64
HINTS: dict[type, dict[str, Any]] = {}
NAMES: dict[str, type] = {}


@dataclass(frozen=True)
class Text:
    """Bounds of a string, in characters; `secret` is written only and never shown."""

    shortest: int = 0
    longest: int = 256
    pattern: str | None = None
    secret: bool = False


@dataclass(frozen=True)
class Number:
    """Bounds of an integer, both included."""

    least: int
    most: int


@dataclass(frozen=True)
class Items:
    """Bounds of a list's length, both included."""

    least: int
    most: int


def describe(hint: Any, parts: dict[str, Json]) -> Json:  # noqa: ANN401 - type hints have no common type
    """The JSON Schema of a hint; dataclasses go into `parts` and are referred to."""
    base, marks = _split(hint)
    origin, args = get_origin(base), get_args(base)
    if isinstance(base, type) and is_dataclass(base):
        return _refer(base, parts)
    if origin is Literal:
        return {"type": "string", "enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [describe(one, parts) for one in args]}
    if origin is list:
        return {"type": "array", "items": describe(args[0], parts), **_bounds(marks)}
    if origin is dict and args[1] is not Any:
        return {"type": "object", "additionalProperties": describe(args[1], parts)}
    return {**_simple(base), **_bounds(marks)}


def hints_of(kind: type) -> dict[str, Any]:
    """Field name to hint, with bounds; worked out once per class."""
    if kind not in HINTS:
        HINTS[kind] = get_type_hints(kind, include_extras=True)
    return HINTS[kind]


def _split(hint: Any) -> tuple[Any, tuple[Any, ...]]:  # noqa: ANN401
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        return base, tuple(marks)
    return hint, ()


def _refer(kind: type, parts: dict[str, Json]) -> Json:
    name = kind.__name__
    if (other := NAMES.setdefault(name, kind)) is not kind:
        raise TypeError(f"{kind.__module__} and {other.__module__} both call a part of the API {name}")
    if name not in parts:
        parts[name] = {}
        known = hints_of(kind)
        parts[name] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip().split("\n")[0],
            "properties": {f.name: describe(known[f.name], parts) for f in fields(kind)},
            "required": [f.name for f in fields(kind) if _needed(f)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{name}"}


def _needed(one: "Field[Any]") -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _simple(base: Any) -> Json:  # noqa: ANN401
    known: dict[Any, Json] = {
        str: {"type": "string"},
        int: {"type": "integer"},
        float: {"type": "number"},
        bool: {"type": "boolean"},
        datetime: {"type": "string", "format": "date-time"},
        type(None): {"type": "null"},
        Any: {},
    }
    return known.get(base, {"type": "object"})


def _bounds(marks: tuple[Any, ...]) -> Json:
    found: Json = {}
    for mark in marks:
        if isinstance(mark, Text):
            found |= {"minLength": mark.shortest, "maxLength": mark.longest}
            found |= {"pattern": f"^(?:{mark.pattern})$"} if mark.pattern else {}
            found |= {"writeOnly": True, "format": "password"} if mark.secret else {}
        elif isinstance(mark, Number):
            found |= {"minimum": mark.least, "maximum": mark.most}
        elif isinstance(mark, Items):
            found |= {"minItems": mark.least, "maxItems": mark.most}
    return found


def read(hint: Any, value: Any, where: str = "body") -> Any:  # noqa: ANN401
    """`value` (parsed JSON) as the hint says; Problem 422 names the first place that is wrong."""
    base, marks = _split(hint)
    origin, args = get_origin(base), get_args(base)
    if isinstance(base, type) and is_dataclass(base):
        return _read_object(base, value, where)
    if origin is Literal:
        return (
            value
            if isinstance(value, str) and value in args
            else _wrong(where, f"must be one of {', '.join(args)}")
        )
    if origin in (Union, types.UnionType):
        return _read_union(args, value, where)
    if origin is list:
        return _read_list(args[0], value, where, marks)
    if origin is dict and args[1] is not Any:
        return _read_dict(args[1], value, where)
    return _read_simple(base, value, where, marks)


def _read_object(kind: type, value: Any, where: str) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        _wrong(where, "must be an object")
    known = {f.name: f for f in fields(kind)}
    for name in value:
        if name not in known:
            _wrong(f"{where}.{name[:64]}", "is not known")
    for name, one in known.items():
        if name not in value and _needed(one):
            _wrong(f"{where}.{name}", "is missing")
    types_of = hints_of(kind)
    return kind(
        **{name: read(types_of[name], value[name], f"{where}.{name}") for name in known if name in value}
    )


def _read_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:  # noqa: ANN401
    if value is None and type(None) in choices:
        return None
    rest = [one for one in choices if one is not type(None)]
    if len(rest) == 1:
        return read(rest[0], value, where)
    if not any("kind" in hints_of(one) for one in rest):
        return _read_by_key(rest, value, where)
    kinds = {get_args(hints_of(one)["kind"])[0]: one for one in rest}
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        _wrong(f"{where}.kind", f"must be one of {', '.join(kinds)}")
    return read(kinds[kind], value, where)


def _read_by_key(choices: list[Any], value: Any, where: str) -> Any:  # noqa: ANN401
    """The one choice whose only field is given."""
    keys = {fields(one)[0].name: one for one in choices}
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= set(keys):
        _wrong(where, f"must be an object with exactly one of {', '.join(keys)}")
    return read(keys[next(iter(value))], value, where)


def _read_dict(hint: Any, value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict) or len(value) > MOST_KEYS:
        _wrong(where, f"must be an object with at most {MOST_KEYS} entries")
    return {str(key): read(hint, one, f"{where}.{key[:64]}") for key, one in value.items()}


def _read_list(hint: Any, value: Any, where: str, marks: tuple[Any, ...]) -> list[Any]:  # noqa: ANN401
    if not isinstance(value, list):
        _wrong(where, "must be a list")
    for mark in marks:
        if not mark.least <= len(value) <= mark.most:
            _wrong(where, f"must have {_between(mark.least, mark.most)} entries")
    return [read(hint, one, f"{where}[{at}]") for at, one in enumerate(value)]


def _between(least: int, most: int) -> str:
    return f"exactly {least}" if least == most else f"{least} to {most}"


def _read_simple(base: Any, value: Any, where: str, marks: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if base is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows no difference between 1 and 1.0
    if type(value) is not base:
        _wrong(
            where, {str: "must be a text", int: "must be a whole number"}.get(base, "must be true or false")
        )
    for mark in marks:
        _check(mark, value, where)
    return value


def _check(mark: Text | Number, value: Any, where: str) -> None:  # noqa: ANN401
    if isinstance(mark, Number):
        if not mark.least <= value <= mark.most:
            _wrong(where, f"must be between {mark.least} and {mark.most}")
        return
    if not mark.shortest <= len(value) <= mark.longest:
        _wrong(where, f"must have {_between(mark.shortest, mark.longest)} characters")
    if any("\ud800" <= c <= "\udfff" for c in value):
        _wrong(where, "holds half a character (a lone surrogate)")
    if mark.pattern and not re.fullmatch(mark.pattern, value):
        _wrong(where, "has a form that cannot be used")


def _wrong(where: str, why: str) -> Any:  # noqa: ANN401 - never returns; stands where a value is expected
    raise Problem(
        "input-wrong",
        "The request cannot be understood.",
        f"{where} {why}.".encode("utf-8", "replace").decode(),
        "Correct it; /api/v1/openapi.json describes every field.",
        status=422,
    )
