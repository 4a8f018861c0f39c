"""From an inventory to the site it describes: nodes with their roles, relations, addresses and ports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from services import catalog as catalog_module
from services import networks as networks_module
from services.catalog import Catalog
from services.manifest import Port
from services.networks import Network
from services.topology_checks import check
from services.topology_groups import CATALOGUE_ROLE, GROUPS, NODE_GROUPS
from services.topology_inventory import Inventory, Vars, read
from services.topology_relations import check_relations
from services.topology_schema import KEYS
from services.topology_yaml import Entry, Mistake

__all__ = ["Center", "Host", "InventoryErrors", "Mistake", "Topology", "load"]


class InventoryErrors(Exception):  # noqa: N818 - it holds all of them
    """Everything that is wrong in an inventory, one Mistake(file, key, message, remedy) each."""

    def __init__(self, errors: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


@dataclass(frozen=True)
class Center:
    """The main of a node's site, as that node reaches it; `ports` has its numbers by `service.port`.

    `client` is where users reach it.
    """

    name: str
    address: str
    ports: Mapping[str, int]
    client: str

    @property
    def https_port(self) -> int:
        """Where its DSS_NGINX answers."""
        return self.ports["nginx.https"]


@dataclass(frozen=True)
class Host:
    """One host of the site; `role` is its inventory group, `ports` the final numbers by `service.port`.

    `address` is where other nodes reach it. `networks` is empty where that one address serves everything.
    """

    name: str
    role: str
    address: str
    mapping_ip: str | None
    install_path: str
    center: Center | None
    ports: Mapping[str, int]
    vars: Mapping[str, Any] = field(repr=False)
    networks: tuple[Network, ...] = ()

    @property
    def catalogue_role(self) -> str | None:
        """`main` or `sub`; None for a router or a camera, which run no service."""
        return CATALOGUE_ROLE.get(self.role)

    def at(self, purpose: str) -> str:
        """The address that serves a purpose."""
        found = networks_module.serving(self.networks, purpose)
        return found.address if found else self.address

    def offers(self, port: Port) -> bool:
        """Whether a port of the manifests is there on this host: some hang on a switch."""
        return not port.switch or self.get(f"dss_{port.switch}") is True

    @property
    def recording_paths(self) -> list[str]:
        """Folders for recordings."""
        return list(self.get("dss_recording_paths")) or [f"{self.install_path}/recordings"]

    def get(self, key: str) -> Any:  # noqa: ANN401 - a variable is any YAML type
        """A variable of the inventory, or its default."""
        value = self.vars.get(key)
        return KEYS[key].default if value is None and key in KEYS else value


@dataclass(frozen=True)
class Topology:
    """A whole site; it has passed every check that needs no host."""

    site: str
    hosts: dict[str, Host]

    @cached_property
    def nodes(self) -> tuple[Host, ...]:
        """Hosts that run services."""
        return tuple(h for h in self.hosts.values() if h.catalogue_role)

    @cached_property
    def main(self) -> Host:
        """The centre of the site."""
        return self.of("main")[0]

    def of(self, role: str) -> tuple[Host, ...]:
        """Hosts of one inventory group, in the order of the inventory."""
        return tuple(h for h in self.hosts.values() if h.role == role)

    def covers(self, spare: Host) -> tuple[str, ...]:
        """Subs a spare takes over from, in its order of priority."""
        named = spare.get("dss_covers")
        return tuple(named) if named else tuple(h.name for h in self.of("sub"))

    def level(self, host: Host) -> int:
        """Level in the cascade: the site's own main is 1, its children are 2, theirs 3."""
        return 1 + self.level(self.hosts[host.vars["dss_parent"]]) if host.role == "cascade" else 1


def load(
    inventory_path: str | Path, overrides: Mapping[str, Any] | None = None, catalog: Catalog | None = None
) -> Topology:
    """The site of an inventory file or folder; `overrides` are variables that win on every host.

    Raises InventoryErrors with all mistakes at once, CatalogError.
    """
    catalog = catalog or catalog_module.load()
    inventory = read(Path(inventory_path))
    groups = inventory.members()
    extra = {k: Entry(v, "(command line)", 0) for k, v in (overrides or {}).items()}
    merged = {host: found | extra for host, found in inventory.merged(groups).items()}
    mistakes = [*inventory.mistakes, *check(inventory, groups, merged, catalog)]
    mistakes += check_relations(inventory, groups, merged, catalog)
    if mistakes:
        raise InventoryErrors(sorted(set(mistakes), key=lambda m: (_place(m.file), m.key)))
    return _topology(inventory, groups, merged, catalog)


def _place(where: str) -> tuple[str, int]:
    file, _, line = where.partition(":")
    return file, int(line or 0)


def _topology(
    inventory: Inventory, groups: dict[str, set[str]], merged: dict[str, Vars], catalog: Catalog
) -> Topology:
    roles = {name: next((g for g in GROUPS if g in groups[name]), "") for name in inventory.hosts}
    plain = {name: {k: e.value for k, e in found.items()} for name, found in merged.items()}
    defaults = {key: port.port for key in catalog.port_keys if (port := catalog.port(key))}
    main = next(name for name, role in roles.items() if role == "main")
    hosts = {}
    for name, role in roles.items():
        if role:
            hosts[name] = _host(name, role, plain, defaults, main)
    site = str(plain[main].get("dss_site") or KEYS["dss_site"].default)
    return Topology(site, hosts)


def _host(
    name: str, role: str, plain: dict[str, dict[str, Any]], defaults: dict[str, int], main: str
) -> Host:
    mine = plain[name]
    center = None
    if role in ("sub", "spare"):
        center = _center(mine.get("dss_center") or main, plain, defaults)
    return Host(
        name,
        role,
        _address(name, mine),
        mine.get("dss_mapping_ip"),
        str(mine.get("dss_install_path") or KEYS["dss_install_path"].default),
        center,
        defaults | mine["dss_ports"] if mine.get("dss_ports") and role in NODE_GROUPS else defaults,
        mine,
        _networks(name, mine),
    )


def _center(name: str, plain: dict[str, dict[str, Any]], defaults: dict[str, int]) -> Center:
    theirs = plain[name]
    ports = defaults | (theirs.get("dss_ports") or {})
    address = _address(name, theirs)
    client = networks_module.serving(_networks(name, theirs), "client")
    return Center(name, address, ports, client.address if client else address)


def _address(name: str, found: Mapping[str, Any]) -> str:
    """Where other nodes reach a host."""
    cluster = networks_module.serving(_networks(name, found), "cluster")
    return cluster.address if cluster else _service(name, found)


def _networks(name: str, found: Mapping[str, Any]) -> tuple[Network, ...]:
    return networks_module.of(found, _service(name, found))


def _service(name: str, found: Mapping[str, Any]) -> str:
    return str(found.get("dss_address") or found.get("ansible_host") or name)
