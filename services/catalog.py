"""The catalogue: every manifest of services/*/service.yml, checked against each other."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import yaml

from services.manifest import ROLES, Manifest, Port
from services.manifest_reader import CatalogError, manifest

__all__ = ["BASE_PACKAGES", "Catalog", "CatalogError", "load", "packages"]

HERE = Path(__file__).resolve().parent
BASE_PACKAGES = ("ca-certificates", "dbus", "nftables", "openssl", "polkitd", "python3", "python3-apt")
"""Debian packages of every node, whatever it runs; python3-apt is what Ansible's apt module needs."""


@dataclass(frozen=True, eq=False)
class Catalog:
    """All services by id, in alphabetical order of ids. Compared by identity, so that it can key a cache."""

    services: dict[str, Manifest]

    @cached_property
    def ordered(self) -> tuple[Manifest, ...]:
        """All services, each after the ones that it starts after."""
        done: dict[str, Manifest] = {}
        for service in self.services:
            _place(self.services, service, done, ())
        return tuple(done.values())

    def on(self, role: str) -> tuple[Manifest, ...]:
        """Built services of a catalogue role, in starting order."""
        return tuple(m for m in self.ordered if m.on(role))

    def port(self, key: str) -> Port | None:
        """The listener `service.port`, None when there is no such thing."""
        service, _, name = key.partition(".")
        ports = self.services[service].ports if service in self.services else ()
        return next((p for p in ports if p.name == name and p.direction == "in"), None)

    @cached_property
    def port_keys(self) -> tuple[str, ...]:
        """Every key that an inventory's dss_ports may hold."""
        return tuple(
            f"{m.id}.{p.name}" for m in self.services.values() for p in m.ports if p.direction == "in"
        )


def load(folder: Path = HERE) -> Catalog:
    """The catalogue in `folder`; CatalogError when manifests are wrong or contradict each other."""
    files = sorted(folder.glob("*/service.yml"))
    if not files:
        raise CatalogError(f"{folder} holds no */service.yml. Is this the services folder of the project?")
    catalog = Catalog({f.parent.name: manifest(f.parent.name, _read(f)) for f in files})
    _check_after(catalog)
    _check_ports(catalog)
    _check_units(catalog)
    return catalog


def packages(catalog: Catalog, role: str) -> list[str]:
    """Debian packages that a node of this catalogue role needs, sorted."""
    return sorted({*BASE_PACKAGES, *(p for m in catalog.on(role) for p in m.packages)})


def _read(path: Path) -> object:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise CatalogError(
            f"services/{path.parent.name}/service.yml: this is not valid YAML: {why}"
        ) from error


def _place(all_: dict[str, Manifest], id_: str, done: dict[str, Manifest], path: tuple[str, ...]) -> None:
    if id_ in path:
        loop = " -> ".join(f"services/{one}" for one in (*path[path.index(id_) :], id_))
        raise CatalogError(
            f"These start after each other in a circle: {loop}. Take one name out of an `after`."
        )
    if id_ not in done:
        for before in all_[id_].after:
            _place(all_, before, done, (*path, id_))
        done[id_] = all_[id_]


def _check_after(catalog: Catalog) -> None:
    for one in catalog.services.values():
        for before in one.after:
            if before not in catalog.services:
                raise CatalogError(
                    f"services/{one.id} starts after {before!r}, but there is no services/{before}."
                )
    assert catalog.ordered


def _check_ports(catalog: Catalog) -> None:
    for role in ROLES:
        taken: dict[tuple[int, str], str] = {}
        for one in catalog.services.values():
            for port in one.ports_on(role):
                other = taken.setdefault((port.port, port.proto), f"services/{one.id} ({port.name})")
                if other != f"services/{one.id} ({port.name})":
                    raise CatalogError(
                        f"services/{one.id} ({port.name}) and {other} both use {port.port}/{port.proto} "
                        f"on {role}. Give one of them another number."
                    )


def _check_units(catalog: Catalog) -> None:
    for one, other in combinations(catalog.services.values(), 2):
        if one.code == other.code:
            raise CatalogError(f"services/{one.id} and services/{other.id} have the same code {one.code}.")
        if same := {(r.path, role) for r in one.routes for role in r.role} & {
            (r.path, role) for r in other.routes for role in r.role
        }:
            raise CatalogError(
                f"services/{one.id} and services/{other.id} both answer the path {same.pop()[0]}. "
                "Give one of them another route."
            )
        if same_units := {u.name for u in one.units} & {u.name for u in other.units}:
            raise CatalogError(
                f"services/{one.id} and services/{other.id} both own the unit {same_units.pop()}."
            )
