"""From the YAML of a manifest to its typed form; a mistake names the file, the field and the remedy."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, cast, get_args, get_origin, get_type_hints

from services.manifest import MEMORY, OUTSIDE, ROLES, STATUS, ZONES, Health, Manifest, Port, Route, Unit
from services.networks import PURPOSES

CHOICES: dict[str, tuple[str, ...]] = {
    "status": STATUS,
    "memory": MEMORY,
    "zone": ZONES,
    "proto": ("tcp", "udp"),
    "direction": ("in", "out"),
    "origin": ("published", "upstream", "ours"),
    "switch": ("tls10",),
    "kind": ("python", "gunicorn", "engine"),
    "engine": ("python", "nginx", "mariadb", "redis", "nats", "kamailio"),
}
NAME = re.compile(r"[a-z][a-z0-9-]*")


class CatalogError(Exception):
    """The manifests contradict each other or themselves; the text names every folder concerned."""


def manifest(folder: str, data: object) -> Manifest:
    """The manifest of services/<folder>/service.yml; CatalogError."""
    where = f"services/{folder}/service.yml"
    if not isinstance(data, dict):
        raise CatalogError(f"{where}: this is not a list of fields. See services/README.md for an example.")
    if data.get("id") != folder:
        raise CatalogError(
            f"{where}: id is {data.get('id')!r} but the folder is {folder!r}. Make them equal."
        )
    found = cast(Manifest, _record(Manifest, _defaults(data), where))
    _check(found, where)
    return found


def _defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Fill in the short forms: one usual unit, a route or health path alone."""
    whole = dict(data)
    usual = [{"name": f"dss-{data['id']}.service", "kind": "python"}]
    whole.setdefault("units", usual)
    if isinstance(whole.get("route"), str):
        whole["routes"] = [{"path": whole.pop("route")}]
    if isinstance(whole.get("health"), str):
        whole["health"] = {"path": whole["health"]}
    return whole


def _record(kind: type, data: object, where: str) -> object:
    """`data` as an instance of the dataclass `kind`."""
    if not isinstance(data, Mapping):
        raise CatalogError(f"{where}: {data!r} must be fields of {kind.__name__.lower()}.")
    hints = get_type_hints(kind)
    if unknown := set(data) - set(hints):
        raise CatalogError(
            f"{where}: unknown field {', '.join(sorted(map(str, unknown)))}. Known: {', '.join(hints)}."
        )
    must = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in must if name not in data]:
        raise CatalogError(f"{where}: the field {', '.join(missing)} is missing.")
    return kind(**{name: _value(hints[name], name, value, where) for name, value in data.items()})


def _value(hint: Any, name: str, value: object, where: str) -> object:  # noqa: ANN401 - a type is any object
    """`value` as the type `hint`."""
    if hint == Health | None:
        return _record(Health, value, f"{where}: {name}")
    if get_origin(hint) is tuple:
        return _list(get_args(hint)[0], name, value, where)
    expected = get_origin(hint) or hint
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise CatalogError(f"{where}: {name} is {value!r}, but it must be of type {expected.__name__}.")
    if name in CHOICES and value not in CHOICES[name]:
        raise CatalogError(f"{where}: {name} is {value!r}, but it must be one of {', '.join(CHOICES[name])}.")
    return value


def _list(item: type, name: str, value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise CatalogError(f"{where}: {name} is {value!r}, but it must be a list.")
    if is_dataclass(item):
        return tuple(_record(item, one, f"{where}: {name}") for one in value)
    found = tuple(_value(item, "", one, f"{where}: {name}") for one in value)
    if name == "role" and (strange := [r for r in found if r not in ROLES]):
        raise CatalogError(f"{where}: role {strange[0]!r} is unknown. Known: {', '.join(ROLES)}.")
    return found


def _check(found: Manifest, where: str) -> None:
    """What one manifest can get wrong in itself."""
    names = [p.name for p in found.ports]
    wanted = [r.port for r in found.routes] + ([found.health.port] if found.health else [])
    for name in wanted:
        if name not in names:
            raise CatalogError(
                f"{where}: a route or health path uses the port {name!r}, which is not listed."
            )
    for name in names:
        if names.count(name) > 1 or not NAME.fullmatch(name):
            raise CatalogError(
                f"{where}: the port name {name!r} is used twice or is not of the form a-z, 0-9, '-'."
            )
    for port in found.ports:
        if not 0 < port.port < 65536:
            raise CatalogError(f"{where}: the port {port.name} is {port.port}, but it must be 1 to 65535.")
        _check_outside(port, where)
        _check_networks(port, where)


def _check_outside(port: Port, where: str) -> None:
    """A router opens a port for those who need it: the manifest must say who that is."""
    mapped = port.zone == "wan" and port.direction == "in"
    if mapped != bool(port.outside) or set(port.outside) - set(OUTSIDE):
        words = ", ".join(OUTSIDE)
        must = f"it must name some of: {words}" if mapped else "only a listener of zone wan has it"
        raise CatalogError(f"{where}: the port {port.name} has outside {list(port.outside)!r}, but {must}.")


def _check_networks(port: Port, where: str) -> None:
    if strange := set(port.networks) - set(PURPOSES):
        words = ", ".join(PURPOSES)
        raise CatalogError(
            f"{where}: the port {port.name} has the network {min(strange)!r}, but there are: {words}."
        )
    if port.networks and port.zone == "local":
        raise CatalogError(f"{where}: the port {port.name} is of zone local; no network reaches it.")


__all__ = ["CatalogError", "Port", "Route", "Unit", "manifest"]
