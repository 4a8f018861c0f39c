"""Checks of an inventory that compare hosts: addresses, ports, and who refers to whom."""

from collections import defaultdict
from collections.abc import Iterator

from services.catalog import Catalog
from services.topology_groups import CATALOGUE_ROLE, GROUPS
from services.topology_inventory import Inventory, Vars
from services.topology_networks import networks
from services.topology_routers import routers
from services.topology_words import suggest
from services.topology_yaml import Mistake

MAX_LEVEL = 3


class Site:
    """What the relation checks look at: valid values only, by host."""

    def __init__(
        self, inventory: Inventory, groups: dict[str, set[str]], merged: dict[str, Vars], catalog: Catalog
    ) -> None:
        self.inventory, self.merged, self.catalog = inventory, merged, catalog
        self.roles = {h: next((g for g in GROUPS if g in groups[h]), "") for h in merged}
        self.defaults = {
            role: {f"{m.id}.{p.name}": p for m in catalog.services.values() for p in m.ports_on(role)}
            for role in ("main", "sub")
        }

    def value(self, host: str, key: str) -> object:
        found = self.merged[host].get(key)
        return found.value if found else None

    def where(self, host: str, key: str) -> str:
        found = self.merged[host].get(key)
        return found.where if found else self.inventory.where[host]

    def ports(self, host: str) -> dict[str, int]:
        """The numbers that differ on a host, by `service.port`."""
        found = self.value(host, "dss_ports") or {}
        assert isinstance(found, dict)
        return found

    def mapped(self, host: str) -> Iterator[tuple[str, int, str]]:
        """(`service.port`, number, protocol) of all that a router maps to a node with dss_mapping_ip."""
        own = self.ports(host)
        for key, port in self.defaults[CATALOGUE_ROLE[self.roles[host]]].items():
            off = port.switch and self.value(host, f"dss_{port.switch}") is not True
            if port.zone == "wan" and not off and self.catalog.services[key.partition(".")[0]].built:
                yield key, own.get(key, port.port), port.proto

    def having(self, key: str, *roles: str) -> Iterator[tuple[str, object]]:
        """(host, value) of all hosts of these roles that have the key."""
        for host, role in self.roles.items():
            if role in roles and (value := self.value(host, key)) is not None:
                yield host, value


def check_relations(
    inventory: Inventory, groups: dict[str, set[str]], merged: dict[str, Vars], catalog: Catalog
) -> list[Mistake]:
    """All mistakes between hosts."""
    site = Site(inventory, groups, merged, catalog)
    return [
        *addresses(site),
        *networks(site),
        *ports(site),
        *mapped_ports(site),
        *wan_ports(site),
        *routers(site),
        *pairs(site),
        *references(site),
        *cascade(site),
    ]


def addresses(site: Site) -> Iterator[Mistake]:
    """No two hosts have the same address, and a shared one is nobody's own."""
    seen: dict[object, str] = {}
    for host, role in site.roles.items():
        own = site.value(host, "dss_address") or site.value(host, "ansible_host")
        if role and own is not None:
            if own in seen:
                yield Mistake(
                    site.where(host, "dss_address" if site.value(host, "dss_address") else "ansible_host"),
                    f"{host}.ansible_host",
                    f"{own} is also the address of {seen[own]}.",
                    "Give one of them another address.",
                )
            seen.setdefault(own, host)
    for host, shared in site.having("dss_virtual_ip", "main", "standby"):
        if shared in seen:
            yield Mistake(
                site.where(host, "dss_virtual_ip"),
                "dss_virtual_ip",
                f"{shared} is the address of {seen[shared]}.",
                "Take a free address of the same network.",
            )


def ports(site: Site) -> Iterator[Mistake]:
    """No two services of a node share a number."""
    for host, _ in site.having("dss_ports", *CATALOGUE_ROLE):
        entry, taken = site.merged[host]["dss_ports"], dict[tuple[int, str], str]()
        own = site.ports(host)
        for key, port in site.defaults[CATALOGUE_ROLE[site.roles[host]]].items():
            number = own.get(key, port.port)
            other = taken.setdefault((number, port.proto), key)
            if other != key:
                changed = key if key in own else other
                yield Mistake(
                    entry.at(changed),
                    f"dss_ports.{changed}",
                    f"On {host}, {key} and {other} would both use {number}/{port.proto}.",
                    "Give one of them another number.",
                )


def mapped_ports(site: Site) -> Iterator[Mistake]:
    """Nodes behind one outside address need different numbers: there is one of each out there."""
    taken: dict[tuple[object, int, str], tuple[str, str]] = {}
    for host, outside in site.having("dss_mapping_ip", *CATALOGUE_ROLE):
        for key, number, proto in site.mapped(host):
            other = taken.setdefault((outside, number, proto), (host, key))
            if other != (host, key):
                yield Mistake(
                    site.where(host, "dss_mapping_ip"),
                    f"{host}.dss_mapping_ip",
                    f"{key} of {host} and {other[1]} of {other[0]} would both be {outside}:{number}/{proto}.",
                    f"Give {host} its own outside address, or another number by dss_ports: {{{key}: ...}}.",
                )


def wan_ports(site: Site) -> Iterator[Mistake]:
    """Outside and inside number are the same: clients are told one number, wherever they are."""
    nodes = [h for h, r in site.roles.items() if r in CATALOGUE_ROLE]
    for router, outside in site.having("dss_wan_ports", "router"):
        assert isinstance(outside, dict)
        for key, number in outside.items():
            port = site.catalog.port(str(key))
            inside = {site.ports(h).get(key, port.port) for h in nodes} if port else set()
            numbers = ", ".join(map(str, sorted(inside)))
            if inside and number not in inside:
                yield Mistake(
                    site.merged[router]["dss_wan_ports"].at(key),
                    f"dss_wan_ports.{key}",
                    f"Outside it is {number}, inside {numbers}; they must be equal.",
                    f"Map {min(inside)} to itself there, or write dss_ports: {{{key}: {number}}}.",
                )


def pairs(site: Site) -> Iterator[Mistake]:
    """A standby shares an address with main; a MAC binding names its gateway."""
    for host, role in site.roles.items():
        if role == "standby" and not any(True for _ in site.having("dss_virtual_ip", "main", "standby")):
            yield Mistake(
                site.inventory.where[host],
                "dss_virtual_ip",
                "Main and standby have no address in common.",
                "Add dss_virtual_ip with a free address to the variables of the group standby.",
            )
        if site.value(host, "dss_gateway_mac") and not site.value(host, "dss_gateway"):
            yield Mistake(
                site.where(host, "dss_gateway_mac"),
                "dss_gateway_mac",
                "It is not said whose MAC address this is.",
                "Add dss_gateway with the address of the gateway.",
            )


TARGETS = {
    "dss_witness": (
        ("main", "standby"),
        ("sub", "spare", "router"),
        "a third node that is neither main nor standby",
    ),
    "dss_center": (("sub", "spare"), ("main", "cascade"), "a main or a cascaded platform"),
    "dss_parent": (("cascade",), ("main", "cascade"), "a main or a cascaded platform"),
    "dss_covers": (("spare",), ("sub",), "a sub"),
}


def references(site: Site) -> Iterator[Mistake]:
    """Every host that another one refers to is there and has a fitting role."""
    reported: set[tuple[int, object]] = set()
    for key, (having, allowed, what) in TARGETS.items():
        for host, value in site.having(key, *having):
            entry = site.merged[host][key]
            for index, name in enumerate(value if isinstance(value, list) else [value]):
                if (id(entry), name) in reported or site.roles.get(str(name)) in allowed:
                    continue
                reported.add((id(entry), name))
                near = suggest(str(name), tuple(h for h, r in site.roles.items() if r in allowed))
                wrong = f"{name} is not {what}" if name in site.roles else f"There is no host {name}"
                where = entry.at(index) if isinstance(value, list) else entry.where
                yield Mistake(where, f"{host}.{key}", f"{wrong}.", f"It must be {what}. {near}")


def cascade(site: Site) -> Iterator[Mistake]:
    """Every cascaded platform leads to main in at most two steps, and not in a circle."""
    parents: dict[str, str] = defaultdict(str, {h: str(v) for h, v in site.having("dss_parent", "cascade")})
    for host, role in site.roles.items():
        if role != "cascade":
            continue
        where, path = site.where(host, "dss_parent"), [host]
        if host not in parents:
            yield Mistake(
                where, f"{host}.dss_parent", "It has no parent.", "Add dss_parent with the name of main."
            )
        while (up := parents[path[-1]]) and up not in path:
            path.append(up)
        if up:
            yield Mistake(
                where,
                f"{host}.dss_parent",
                f"The parents form a circle: {' -> '.join([*path, up])}.",
                "Let one of them have main as its parent.",
            )
        elif len(path) > MAX_LEVEL:
            yield Mistake(
                where,
                f"{host}.dss_parent",
                f"It is on level {len(path)} ({' -> '.join(reversed(path))}); there may be {MAX_LEVEL}.",
                "Attach it to a platform of a higher level.",
            )
